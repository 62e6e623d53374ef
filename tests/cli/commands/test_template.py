import asyncio
import errno
import json
import os
from datetime import UTC, datetime
from pathlib import Path

import grpc
import pytest

from gcsched.cli import output_file
from gcsched.cli.output_file import FileNotWritten
from gcsched.pb import task_pb2
from tests.support.command import CommandResult, run_command, run_gcsched
from tests.support.fake_scheduler import ErrorAnswer, fake_scheduler

PREVIEW = task_pb2.Preview(
    subject="Interview", text="Hello Ada,\n\nroom 4.2\x1b[2J", html="<p>Hello</p>", size_bytes=2048
)


async def test_templates_are_listed_with_their_required_variables() -> None:
    both = task_pb2.ListTemplatesResponse(
        templates=[
            task_pb2.Template(name="doc", has_text=True),
            task_pb2.Template(name="reminder", required_variables=["room", "host"]),
        ]
    )
    async with fake_scheduler(ListTemplates=both) as service:
        table = await run_command("template", "list", "--target", service.target)
        lines = await run_command("template", "list", "--json", "--target", service.target)

    assert [line.split(maxsplit=2) for line in table.out.splitlines()] == [
        ["NAME", "HAS_TEXT", "REQUIRED_VARIABLES"],
        ["doc", "yes", "-"],
        ["reminder", "no", "room, host"],
    ]
    assert [json.loads(line)["name"] for line in lines.out.splitlines()] == ["doc", "reminder"]


async def test_a_preview_shows_subject_size_and_text() -> None:
    async with fake_scheduler(PreviewTemplate=PREVIEW) as service:
        done = await run_command(
            *("template", "preview", "reminder", "--var", "room=4.2", "--var=a=b=c"),
            *("--to=ada@example.org", "--empid=E1", "--username=Ada", "--message=Interview"),
            *("--target", service.target),
        )

    assert done.out.splitlines() == [
        "subject     Interview",
        "size_bytes  2048",
        "",
        "Hello Ada,",
        "",
        "room 4.2?[2J",
    ]
    assert service.requests == [
        task_pb2.PreviewTemplateRequest(
            template="reminder",
            variables={"room": "4.2", "a": "b=c"},
            email="ada@example.org",
            empid="E1",
            name="Ada",
            message="Interview",
        )
    ]


async def test_each_part_can_be_shown_alone(tmp_path: Path) -> None:
    file = tmp_path / "doc.html"
    async with fake_scheduler(PreviewTemplate=PREVIEW) as service:
        where = ("--target", service.target)
        text = await run_command("template", "preview", "doc", "--text", *where)
        html = await run_command("template", "preview", "doc", "--html", str(file), *where)
        as_json = await run_command("template", "preview", "doc", "--json", *where)

    assert text.out == "Hello Ada,\n\nroom 4.2?[2J\n"
    assert (html.code, html.out, file.read_text()) == (0, "", "<p>Hello</p>")
    assert json.loads(as_json.out)["html"] == "<p>Hello</p>"


async def run_preview(file: str | Path, *more: str) -> CommandResult:
    async with fake_scheduler(PreviewTemplate=PREVIEW) as service:
        where = ("--target", service.target)
        return await run_command("template", "preview", "doc", "--html", str(file), *more, *where)


async def test_the_note_about_a_written_file_is_not_part_of_the_output(tmp_path: Path) -> None:
    done = await run_preview(tmp_path / "new.html")

    assert (done.code, done.out) == (0, "")
    assert done.err == f"wrote {tmp_path}/new.html (12 bytes)\n"


async def test_a_file_that_exists_is_overwritten_with_force_only(tmp_path: Path) -> None:
    file = tmp_path / "doc.html"
    file.write_text("my own template, longer than the preview")

    refused = await run_preview(file)
    kept = file.read_text()
    forced = await run_preview(file, "--force")

    assert refused.code == 1
    assert refused.err == (
        f"--html: {file} exists: name another file, or add --force to overwrite it\n"
    )
    assert kept == "my own template, longer than the preview"
    assert (forced.code, file.read_text()) == (0, "<p>Hello</p>")


async def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "doc.html").write_text("mine")
    (tmp_path / "link").symlink_to("doc.html")
    (tmp_path / "dangling").symlink_to("nothing.html")
    (tmp_path / "loop").symlink_to("loop")

    codes = [(await run_preview(tmp_path / name)).code for name in ("link", "dangling", "loop")]

    assert codes == [1, 1, 1]
    assert (tmp_path / "doc.html").read_text() == "mine"
    assert not (tmp_path / "nothing.html").exists()


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        (".", "is a folder: name a file in it"),
        ("missing/new.html", "missing does not exist: make it, or name another file"),
        ("file/new.html", "file is not a folder: name another file"),
        ("x" * 300, "cannot be written (File name too long): name another file"),
        ("/dev/full", "/dev/full cannot be written (No space left on device): name another file"),
    ],
)
@pytest.mark.parametrize("more", [(), ("--force",)], ids=["new", "force"])
async def test_a_file_that_cannot_be_written_is_reported_with_the_reason(
    tmp_path: Path, name: str, problem: str, more: tuple[str, ...]
) -> None:
    (tmp_path / "file").touch()

    done = await run_preview(tmp_path / name, *more)

    assert done.code == 1
    assert done.err.startswith("--html: ")
    assert problem in done.err
    assert str(tmp_path) in done.err or name == "/dev/full"


def test_a_full_disk_leaves_no_half_of_a_new_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int, content: bytes) -> int:
        if len(content) < len(PREVIEW.html):
            raise OSError(errno.ENOSPC, "No space left on device")
        return 5

    monkeypatch.setattr("gcsched.cli.output_file.os.write", full)
    content = PREVIEW.html.encode()

    with pytest.raises(
        FileNotWritten, match=r"new.html cannot be written \(No space left on device\)"
    ):
        output_file.write_file(tmp_path / "new.html", content, option="--html", force=False)

    assert list(tmp_path.iterdir()) == []


async def test_a_device_or_a_pipe_is_written_without_force(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    reading = asyncio.create_task(asyncio.to_thread(pipe.read_text))
    done = await run_preview(pipe)
    null = await run_preview("/dev/null")

    assert (done.code, await reading, null.code) == (0, "<p>Hello</p>", 0)


async def test_a_dash_prints_the_html_and_nothing_else() -> None:
    async with fake_scheduler(
        PreviewTemplate=task_pb2.Preview(html="<p>Zo\u00eb</p>\n")
    ) as service:
        command = ("template", "preview", "doc", "--html", "-", "--target", service.target)
        process = await run_gcsched(*command, PYTHONIOENCODING="latin-1")
        done = await run_command(*command)

    assert (process.returncode, process.stderr) == (0, "")
    assert process.stdout == done.out == "<p>Zo\u00eb</p>\n"


async def test_a_variable_without_a_value_is_wrong_usage() -> None:
    done = await run_command("template", "preview", "doc", "--var", "room")

    assert done.code == 2
    assert "invalid pair 'room': expected name=value" in done.err


DUE = datetime(2030, 1, 5, 9, tzinfo=UTC)


async def test_a_test_mail_is_sent_once_with_an_id_of_its_own() -> None:
    reply = task_pb2.MeetResponse(
        success=True, job_id="7", outcome="CREATED", state="SCHEDULED", due_time=DUE
    )
    command = ("template", "send-test", "reminder", "--to=ada@example.org", "--var", "room=4.2")
    more = ("--empid=E1", "--username=Ada", "--message=Interview")
    async with fake_scheduler(SendTestMail=reply) as service:
        first = await run_command(*command, *more, "--target", service.target)
        second = await run_command(*command, "--json", "--target", service.target)
        third = await run_command(*command, "--request-id=R1", "--target", service.target)

    sent = [each for each in service.requests if isinstance(each, task_pb2.SendTestMailRequest)]
    ids = [each.request_id for each in sent]
    assert first.out == f"accepted: job 7, due {DUE.astimezone().isoformat()}\n"
    assert json.loads(second.out)["job_id"] == "7"
    assert third.code == 0
    assert len({*ids, ""}) == 4
    assert ids[2] == "R1"
    assert sent[0] == task_pb2.SendTestMailRequest(
        template="reminder",
        variables={"room": "4.2"},
        email="ada@example.org",
        empid="E1",
        name="Ada",
        message="Interview",
        request_id=ids[0],
    )


async def test_a_test_mail_names_its_recipient_and_a_lost_answer_its_request_id() -> None:
    missing = await run_command("template", "send-test", "doc")
    lost = ErrorAnswer(code=grpc.StatusCode.UNAVAILABLE, message="away")
    async with fake_scheduler(SendTestMail=lost) as service:
        done = await run_command(
            *("template", "send-test", "doc", "--to=ada@example.org", "--request-id=R1"),
            *("--target", service.target, "--timeout=1"),
        )

    assert missing.code == 2
    assert "--to" in missing.err
    assert done.code != 0
    assert "use --request-id R1" in done.err
