import json
from pathlib import Path

from gcsched.pb import task_pb2
from tests.answering import answering
from tests.program import command

PREVIEW = task_pb2.Preview(
    subject="Interview", text="Hello Ada,\n\nroom 4.2\x1b[2J", html="<p>Hello</p>", size_bytes=2048
)


async def test_templates_are_listed_with_what_they_need() -> None:
    both = task_pb2.ListTemplatesResponse(
        templates=[
            task_pb2.Template(name="doc", has_text=True),
            task_pb2.Template(name="reminder", needs=["room", "host"]),
        ]
    )
    async with answering(ListTemplates=both) as service:
        table = await command("template", "list", "--target", service.target)
        lines = await command("template", "list", "--json", "--target", service.target)

    assert [line.split(maxsplit=2) for line in table.out.splitlines()] == [
        ["NAME", "HAS_TEXT", "NEEDS"],
        ["doc", "yes", "-"],
        ["reminder", "no", "room, host"],
    ]
    assert [json.loads(line)["name"] for line in lines.out.splitlines()] == ["doc", "reminder"]


async def test_a_preview_shows_subject_size_and_text() -> None:
    async with answering(PreviewTemplate=PREVIEW) as service:
        done = await command(
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
    assert service.asked == [
        task_pb2.PreviewTemplateRequest(
            template="reminder",
            variables={"room": "4.2", "a": "b=c"},
            email="ada@example.org",
            empid="E1",
            name="Ada",
            message="Interview",
        )
    ]


async def test_the_parts_can_be_had_alone(tmp_path: Path) -> None:
    file = tmp_path / "doc.html"
    async with answering(PreviewTemplate=PREVIEW) as service:
        where = ("--target", service.target)
        text = await command("template", "preview", "doc", "--text", *where)
        html = await command("template", "preview", "doc", "--html", str(file), *where)
        said = await command("template", "preview", "doc", "--json", *where)

    assert text.out == "Hello Ada,\n\nroom 4.2?[2J\n"
    assert (html.code, html.out, file.read_text()) == (0, "", "<p>Hello</p>")
    assert json.loads(said.out)["html"] == "<p>Hello</p>"


async def test_a_file_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    async with answering(PreviewTemplate=PREVIEW) as service:
        where = ("--target", service.target)
        done = await command("template", "preview", "doc", "--html", str(tmp_path), *where)

    assert done.code == 1
    assert done.err == f"--html: {tmp_path} cannot be written (Is a directory)\n"


async def test_a_variable_without_a_value_is_wrong_usage() -> None:
    done = await command("template", "preview", "doc", "--var", "room")

    assert done.code == 2
    assert "'room' is not a pair; write name=value" in done.err
