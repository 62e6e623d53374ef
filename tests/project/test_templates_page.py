"""The examples of docs/templates.md do what the page says."""

import re
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from gcsched.adapters.mail.composer import Composer
from gcsched.adapters.mail.template_folder import MAX_FILE_OCTETS, default_folder
from gcsched.adapters.mail.template_validation import GMAIL_CLIP_OCTETS
from gcsched.adapters.mail.template_variables import Variables
from gcsched.adapters.mail.templates import Templates
from tests.support.command import run_command, run_shell_with_forks
from tests.support.meeting_mails import a_meeting_job
from tests.support.template_folders import sample_variables

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "templates.md").read_text("utf-8")
DUE = datetime(2027, 1, 5, 9, 5, tzinfo=ZoneInfo("Europe/Berlin"))
EXAMPLES = re.findall(r"^\| `(\{\{ .*?due.*?)` \| (.+?) \|$", PAGE, re.MULTILINE)


def block(kind: str, containing: str) -> str:
    found = re.findall(rf"^```{kind}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    (only,) = (each for each in found if containing in each)
    return str(only)


@pytest.mark.parametrize(("source", "shown"), EXAMPLES)
def test_each_way_to_write_the_time_gives_what_the_page_says(
    tmp_path: Path, source: str, shown: str
) -> None:
    (tmp_path / "doc.html").write_text(source)

    rendered = Templates.load(tmp_path).render("doc", {**sample_variables(), "due": DUE})

    assert rendered.html == shown


def test_there_are_examples_of_the_time() -> None:
    assert len(EXAMPLES) == 12


def test_every_variable_is_on_the_page_and_no_other() -> None:
    table = PAGE.split("## Variables")[1].split("\n\n")[1]

    assert set(re.findall(r"^\| `(\w+)` ", table, re.MULTILINE)) == set(Variables.__annotations__)


def test_optional_variables_are_optional_as_shown(tmp_path: Path) -> None:
    (tmp_path / "doc.html").write_text(block("jinja", "default("))
    templates = Templates.load(tmp_path)

    without = templates.render("doc", sample_variables()).html
    with_both = templates.render("doc", sample_variables(), {"room": "4.2", "host": "Ann"}).html

    assert without.split("\n")[0] == "Room to be announced"
    assert "host" not in without
    assert "Room 4.2\nYour host is Ann." in with_both


def test_a_loop_over_changes_shows_them_as_the_page_says(tmp_path: Path) -> None:
    source = block("jinja", "change.label")
    (tmp_path / "doc.html").write_text("-")
    for kind in ("html", "txt"):
        (tmp_path / f"own.{kind}").write_text(source)
    composer = Composer(
        templates=Templates.load(tmp_path),
        sender_email="people@example.org",
        sender_name="",
        timezone=ZoneInfo("UTC"),
    )

    job = a_meeting_job("update", job={"template": "own"}, location="")
    lines = composer.render(job).text.split("\n")

    assert "Where: none (before: Room 4.2, second floor)" in lines
    assert any(line.startswith("When: Wednesday, 6 January 2027, 14:00") for line in lines)
    assert composer.templates.find_prerenderer("own") is not None


async def test_the_first_steps_work(tmp_path: Path) -> None:
    (tmp_path / "templates").symlink_to(default_folder())
    preview = tmp_path / "doc-preview.html"
    steps = re.sub(r"\S+/doc-preview.html", str(preview), block("sh", "mkdir letters"))

    done = await run_shell_with_forks(f"cd {tmp_path}\n{steps}")

    assert (done.returncode, done.stderr) == (
        0,
        f"wrote {preview} ({preview.stat().st_size:,} bytes)\n",
    )
    assert "Release review" in preview.read_text("utf-8")


async def test_mistakes_are_reported_as_shown(tmp_path: Path) -> None:
    (tmp_path / "doc.html").write_text("\n" * 11 + "{{ usernam }}")
    (tmp_path / "interview.html").write_text("\n\n{{ room | shout }}")
    (tmp_path / "reminder.htm").touch()

    done = await run_command("template", "check", str(tmp_path))

    first, *lines = block("console", "template check").splitlines()
    assert first == "$ gcsched template check letters"
    assert sorted(done.err.splitlines()) == sorted(lines)


def test_the_limits_are_those_of_the_program() -> None:
    words = " ".join(PAGE.split())

    assert f"larger than {MAX_FILE_OCTETS // 1024**2} MiB" in words
    assert f"HTML over {GMAIL_CLIP_OCTETS // 1024} KiB" in words
