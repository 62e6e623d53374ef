"""`gcsched template check` and `preview --folder`: no service, no settings."""

import json
import sys
from pathlib import Path

import pytest

from gcsched.adapters.mail.template_folder import default_folder
from gcsched.adapters.mail.templates import Templates
from gcsched.errors import TemplateProblem
from tests.support.command import CommandResult, run_command, run_gcsched
from tests.support.template_folders import BUILT_IN


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "doc.html").write_text("<h1>{{ message }}</h1><p>{{ username }}</p>")
    (tmp_path / "note.html").write_text("<p>{{ due.strftime('%H:%M %Z') }} {{ room }}</p>")
    (tmp_path / "note.txt").write_text("{{ room }} {{ host | default('?') }}")
    return tmp_path


async def test_a_valid_folder_is_listed_with_the_required_variables(folder: Path) -> None:
    done = await run_command("template", "check", str(folder))

    assert (done.code, done.err) == (0, "")
    assert [line.split() for line in done.out.splitlines()] == [
        ["NAME", "HAS_TEXT", "REQUIRED_VARIABLES"],
        ["cancellation", "yes", "meeting"],
        ["doc", "no", "-"],
        ["invitation", "yes", "meeting"],
        ["note", "yes", "room"],
        ["reminder", "yes", "meeting"],
        ["update", "yes", "meeting"],
    ]


async def test_all_problems_and_warnings_are_reported_at_once_as_at_a_start(folder: Path) -> None:
    (folder / "doc.html").write_text("<p>\n{{ usernam }}</p>")
    (folder / "note.html").write_text("{% if %}")
    (folder / "old.html~").touch()

    done = await run_command("template", "check", str(folder))

    with pytest.raises(TemplateProblem) as caught:
        Templates.load(folder)
    *problems, warning, last = done.err.splitlines()
    assert (done.code, done.out, len(problems)) == (2, "", 2)
    assert problems == str(caught.value).splitlines()
    assert warning == "warning: old.html~: ignored: the name of a template ends in .html or .txt"
    assert last == "2 problems: a service does not start with this folder"


async def test_warnings_alone_do_not_fail_a_check(folder: Path) -> None:
    (folder / "inter\x1b[2Jview.html").touch()

    done = await run_command("template", "check", str(folder))

    assert done.code == 0
    assert done.err.startswith("warning: inter?[2Jview.html: ignored: no request can name it")


async def test_a_check_can_be_printed_as_json(folder: Path) -> None:
    (folder / "old.htm").touch()
    good = await run_command("template", "check", str(folder), "--json")
    (folder / "doc.html").write_text("\n{{ nothing }}")
    bad = await run_command("template", "check", str(folder), "--json")

    assert (good.code, bad.code, good.err, bad.err) == (0, 2, "", "")
    found, wrong = json.loads(good.out), json.loads(bad.out)
    assert [each["name"] for each in found["templates"]] == sorted(["doc", "note", *BUILT_IN])
    assert found["problems"] == wrong["templates"] == []
    assert [each["file"] for each in found["warnings"]] == ["old.htm"]
    assert [(each["file"], each["line"]) for each in wrong["problems"]] == [("doc.html", 2)]


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("absent", "absent: there is no such folder; it must hold doc.html"),
        ("doc.html", "doc.html: this is not a folder: name the one with doc.html"),
    ],
)
async def test_a_path_that_is_not_a_folder_is_wrong_input(
    folder: Path, name: str, problem: str
) -> None:
    done = await run_command("template", "check", str(folder / name))

    assert done.code == 2
    assert problem in done.err


async def test_neither_settings_nor_a_service_are_needed(folder: Path) -> None:
    checked = await run_gcsched("template", "check", str(default_folder()))
    shown = await run_gcsched("template", "preview", "doc", "--folder", str(folder), "--text")

    assert (checked.returncode, checked.stderr) == (0, "")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout.split() == ["Release", "review", "&", "retrospective", "Zoë", "O'Neil"]


async def run_preview(folder: Path, *arguments: str) -> CommandResult:
    return await run_command("template", "preview", *arguments, "--folder", str(folder))


async def test_a_preview_is_made_of_the_arguments(folder: Path) -> None:
    given = ("--var", "room=<4>", "--message", "Come", "--to", "ada@printer.local")
    shown = await run_preview(folder, "note", *given)
    html = await run_preview(folder, "note", *given, "--html", str(folder.parent / "page.html"))

    subject, size, blank, text = shown.out.splitlines()
    assert (subject.split(), size.split()[0], blank) == (["subject", "Come"], "size_bytes", "")
    assert (html.code, html.err[:5], text) == (0, "wrote", "<4> ?")
    assert "&lt;4&gt;</p>" in (folder.parent / "page.html").read_text()


@pytest.mark.parametrize(("zone", "shown"), [("", "UTC"), ("Asia/Tokyo", "JST")])
async def test_the_time_is_shown_in_the_zone_of_the_environment(
    folder: Path, monkeypatch: pytest.MonkeyPatch, zone: str, shown: str
) -> None:
    monkeypatch.setenv("GCSCHED_TIMEZONE", zone)

    done = await run_preview(folder, "note", "--var", "room=4", "--html", "-")

    assert f" {shown} 4</p>" in done.out


async def test_an_unknown_time_zone_is_reported(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GCSCHED_TIMEZONE", "Europe/Berl")

    done = await run_preview(folder, "doc")

    assert (done.code, done.err) == (
        2,
        "GCSCHED_TIMEZONE='Europe/Berl' is unknown: use an IANA name, e.g. Europe/Berlin\n",
    )


@pytest.mark.parametrize(
    ("arguments", "lines"),
    [
        (
            ["note"],
            ["refused:", "  --var: must have a value for 'room': the template needs it"],
        ),
        (
            ["lost"],
            [
                "refused:",
                "  NAME: must be one of cancellation, doc, invitation, note, reminder, update",
            ],
        ),
        (["doc", "--to", "nobody"], ["refused:", "  --to: "]),
    ],
)
async def test_invalid_arguments_are_reported_as_by_the_service(
    folder: Path, arguments: list[str], lines: list[str]
) -> None:
    done = await run_preview(folder, *arguments)

    assert (done.code, done.out) == (2, "")
    for line, expected in zip(done.err.splitlines(), lines, strict=True):
        assert line.startswith(expected)


async def test_a_broken_folder_is_reported_as_by_a_check(folder: Path) -> None:
    (folder / "note.html").write_text("{% if %}")

    done = await run_preview(folder, "doc")

    assert (done.code, done.err[:30]) == (2, "template note.html, line 1: Ex")


async def test_a_preview_does_not_overwrite_the_template_that_it_shows(folder: Path) -> None:
    source = (folder / "doc.html").read_text()

    done = await run_preview(folder, "doc", "--html", str(folder / "doc.html"))

    assert (done.code, (folder / "doc.html").read_text()) == (1, source)


@pytest.mark.parametrize("missing", ["jinja2", "inscriptis"])
async def test_without_the_packages_of_the_service_the_error_says_what_to_install(
    folder: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    for name in [each for each in sys.modules if each.startswith("gcsched.adapters.mail.template")]:
        monkeypatch.delitem(sys.modules, name)

    checked, shown = (
        await run_command("template", "check", str(folder)),
        await run_preview(folder, "doc"),
    )

    assert (checked.code, shown.code) == (2, 2)
    assert [each.err for each in (checked, shown)] == [
        f"gcsched template {what} cannot run: the module {missing} is not installed; "
        "run `pip install 'gcsched[server]'`\n"
        for what in ("check", "preview --folder")
    ]
