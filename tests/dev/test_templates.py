"""Templates follow their files in `dev`; each test polls as the background task would."""

from pathlib import Path

import pytest

from gcsched.dev.templates import ReloadingTemplates
from gcsched.errors import TemplateProblem
from tests.support.template_folders import BUILT_IN, sample_variables

RELOADED = "templates reloaded: cancellation, doc, invitation, reminder, update"


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture
def templates(tmp_path: Path, lines: list[str]) -> ReloadingTemplates:
    (tmp_path / "doc.html").write_text("first {{ username }}")
    return ReloadingTemplates(tmp_path, lambda *new: lines.extend(new))


def poll_twice(templates: ReloadingTemplates) -> None:
    templates.poll()
    templates.poll()


def render_html(templates: ReloadingTemplates, name: str = "doc") -> str:
    return templates.render(name, sample_variables()).html


def test_nothing_is_printed_while_nothing_changes(
    templates: ReloadingTemplates, lines: list[str]
) -> None:
    poll_twice(templates)

    assert (lines, render_html(templates)) == ([], "first Zoë")


@pytest.mark.parametrize("edit", ["write", "replace", "same size"])
def test_an_edit_is_seen(
    templates: ReloadingTemplates, tmp_path: Path, lines: list[str], edit: str
) -> None:
    if edit == "replace":  # as many editors save
        (tmp_path / "new").write_text("other {{ username }}")
        (tmp_path / "new").rename(tmp_path / "doc.html")
    else:
        (tmp_path / "doc.html").write_text(f"{edit[:5]} {{{{ username }}}}")

    poll_twice(templates)

    assert lines == [RELOADED]
    assert not render_html(templates).startswith("first")


def test_a_file_is_loaded_once_it_is_written_completely(
    templates: ReloadingTemplates, tmp_path: Path, lines: list[str]
) -> None:
    for written in ("", "sec", "second"):
        (tmp_path / "doc.html").write_text(written)
        templates.poll()
    seen_meanwhile = render_html(templates)
    templates.poll()

    assert (seen_meanwhile, render_html(templates)) == ("first Zoë", "second")
    assert lines == [RELOADED]


def test_a_broken_edit_keeps_the_last_valid_templates_and_is_reported_once(
    templates: ReloadingTemplates, tmp_path: Path, lines: list[str]
) -> None:
    (tmp_path / "doc.html").write_text("second\n{{ usernam }}")
    (tmp_path / "note\x1b.html").touch()
    (tmp_path / "note.html").write_text("{% endif %}")
    poll_twice(templates)
    poll_twice(templates)

    first, *problems = lines
    assert first == "templates not reloaded, the last valid ones stay in use:"
    assert [line.partition(":")[0] for line in problems] == [
        "  template note.html, line 1",
        "  template doc.html, line 2",
    ]
    assert (render_html(templates), set(templates.variables_by_template)) == (
        "first Zoë",
        {"doc", *BUILT_IN},
    )


def test_a_valid_edit_after_a_broken_one_is_loaded(
    templates: ReloadingTemplates, tmp_path: Path, lines: list[str]
) -> None:
    for written in ("{% if %}", "third"):
        (tmp_path / "doc.html").write_text(written)
        poll_twice(templates)

    assert (render_html(templates), lines[-1]) == ("third", RELOADED)


def test_templates_come_and_go_with_their_required_variables(
    templates: ReloadingTemplates, tmp_path: Path, lines: list[str]
) -> None:
    required = templates.variables_by_template  # the service keeps this mapping
    (tmp_path / "note.html").write_text("{{ room }}")
    poll_twice(templates)
    with_note = ({name: set(each) for name, each in required.items()}, templates.list_info())
    (tmp_path / "note.html").unlink()
    poll_twice(templates)

    assert with_note[0] == {
        "doc": set(),
        **{name: {"meeting"} for name in BUILT_IN},
        "note": {"room"},
    }
    assert [each.name for each in with_note[1]] == sorted(["doc", "note", *BUILT_IN])
    assert dict(required) == {
        "doc": frozenset(),
        **dict.fromkeys(BUILT_IN, frozenset({"meeting"})),
    }
    assert (len(required), "note" in required) == (5, False)
    assert lines == [
        "templates reloaded: cancellation, doc, invitation, note, reminder, update",
        RELOADED,
    ]


def test_an_edit_in_a_subfolder_is_seen(templates: ReloadingTemplates, tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "foot.html").write_text("one")
    (tmp_path / "doc.html").write_text("{% include 'parts/foot.html' %}")
    poll_twice(templates)
    before = render_html(templates)
    (tmp_path / "parts" / "foot.html").write_text("two")
    poll_twice(templates)

    assert (before, render_html(templates)) == ("one", "two")


def test_a_folder_that_is_gone_for_a_while_keeps_the_templates(
    templates: ReloadingTemplates, tmp_path: Path, lines: list[str]
) -> None:
    tmp_path.rename(tmp_path.with_name("away"))
    poll_twice(templates)
    meanwhile = render_html(templates)
    tmp_path.with_name("away").rename(tmp_path)
    poll_twice(templates)

    assert meanwhile == render_html(templates) == "first Zoë"
    assert lines[1:] == [
        f"  template {tmp_path}: there is no such folder; it must hold doc.html",
        RELOADED,
    ]


def test_only_new_warnings_are_printed(tmp_path: Path) -> None:
    lines: list[str] = []
    (tmp_path / "doc.html").write_text("first")
    (tmp_path / "old.htm").touch()
    templates = ReloadingTemplates(tmp_path, lambda *new: lines.extend(new))
    at_start = list(lines)
    (tmp_path / "new.htm").touch()
    poll_twice(templates)

    reason = "ignored: the name of a template ends in .html or .txt"
    assert at_start == [f"  old.htm: {reason}"]
    assert lines[1:] == [RELOADED, f"  new.htm: {reason}"]


def test_a_folder_that_cannot_be_used_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(TemplateProblem, match="this file is missing"):
        ReloadingTemplates(tmp_path, print)
