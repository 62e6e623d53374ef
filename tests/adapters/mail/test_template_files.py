"""Other files in a template folder, and the reports on them for its author."""

import errno
import os
from pathlib import Path

import pytest

from gcsched.adapters.mail.template_folder import default_folder
from gcsched.adapters.mail.template_validation import validate_folder
from gcsched.adapters.mail.templates import Templates
from gcsched.errors import TemplateProblem
from tests.support.template_folders import BUILT_IN


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    templates = tmp_path / "templates"
    templates.mkdir()
    (templates / "doc.html").write_text("<p>{{ username }}</p>")
    return templates


def warnings(folder: Path) -> dict[str, str]:
    """Return the warnings about a valid folder, by file."""
    return {file: problem for file, _, problem in Templates.load(folder).warnings}


def problems(folder: Path) -> dict[str, str]:
    with pytest.raises(TemplateProblem):
        Templates.load(folder)
    return {file: problem for file, _, problem in validate_folder(folder).problems}


def test_the_templates_of_the_package_are_valid() -> None:
    assert warnings(default_folder()) == {}


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("interview.htm", "the name of a template ends in .html or .txt"),
        ("interview.html.j2", "the name of a template ends in .html or .txt"),
        ("interview.html~", "the name of a template ends in .html or .txt"),
        ("interview.html.swp", "the name of a template ends in .html or .txt"),
        ("README.md", "the name of a template ends in .html or .txt"),
        (".interview.html.swp", "its name starts with a dot"),
        (".html", "its name starts with a dot"),
        ("interview.HTML", "write the ending of its name in small letters"),
        ("interview.Txt", "write the ending of its name in small letters"),
        ("inter\x1bview.html", "no request can name it: use letters, digits, - and _"),
        ("inter\udcffview.html", "no request can name it: use letters, digits, - and _"),
        ("interview.txt", "it is the text part of interview.html, which is missing"),
    ],
)
def test_a_file_that_is_not_used_is_reported_with_the_reason(
    folder: Path, name: str, reason: str
) -> None:
    (folder / name).write_text("x")

    assert warnings(folder) == {name: f"ignored: {reason}"}
    assert set(Templates.load(folder).by_name) == {"doc", *BUILT_IN}


def test_many_ignored_files_are_named_in_part_and_counted(folder: Path) -> None:
    for number in range(25):
        (folder / f"{number:02}.htm").touch()

    found = warnings(folder)

    assert list(found) == [*(f"{number:02}.htm" for number in range(20)), f"{folder}"]
    assert found[f"{folder}"] == "5 more files are ignored"


def test_an_entry_that_is_not_a_file_is_reported(folder: Path) -> None:
    (folder / "folder.html").mkdir()
    os.mkfifo(folder / "pipe.html")
    (folder / "gone.html").symlink_to("nowhere")
    (folder / "circle.html").symlink_to("circle.html")

    assert warnings(folder) == {
        "folder.html": "ignored: it is a folder",
        "pipe.html": "ignored: it is not a regular file",
        "gone.html": "ignored: it links to 'nowhere', which does not exist",
        "circle.html": "ignored: it cannot be read: Too many levels of symbolic links",
    }


def test_files_that_templates_use_or_every_folder_has_are_not_reported(folder: Path) -> None:
    (folder / ".git").mkdir()
    (folder / ".git" / "page.html").touch()
    (folder / ".gitkeep").touch()
    (folder / "parts").mkdir()
    (folder / "parts" / "foot.html").write_text("foot")
    (folder / "style.css").write_text("p { margin: 0 }")
    (folder / "sign.txt").write_text("Yours")
    (folder / "_base.html").touch()
    (folder / "_base.txt").touch()
    (folder / "note.html").write_text(
        "{% include './parts/foot.html' %}{% include 'style.css' %}{% include 'sign.txt' %}"
    )

    assert warnings(folder) == {}


def test_a_folder_as_kubernetes_mounts_it_is_valid(tmp_path: Path) -> None:
    (tmp_path / "..2027_01_05").mkdir()
    (tmp_path / "..2027_01_05" / "doc.html").write_text("<p>{{ username }}</p>")
    (tmp_path / "..data").symlink_to("..2027_01_05")
    (tmp_path / "doc.html").symlink_to("..data/doc.html")

    assert warnings(tmp_path) == {}


def test_templates_in_a_subfolder_are_reported_once_for_the_subfolder(folder: Path) -> None:
    (folder / "letters" / "old").mkdir(parents=True)
    for name in ("a.html", "b.html", "c.HTML", "old/d.txt", "picture.png"):
        (folder / "letters" / name).touch()
    (folder / "letters" / "round").symlink_to(folder)

    assert warnings(folder) == {
        "letters/": "ignored, because no template includes letters/a.html, letters/b.html, "
        "letters/c.HTML and 1 more. Templates must be directly in the template folder"
    }


def test_a_name_that_is_computed_when_rendering_may_be_that_of_any_file(folder: Path) -> None:
    (folder / "parts").mkdir()
    (folder / "parts" / "foot.html").write_text("foot")
    (folder / "doc.html").write_text("{% set at = 'parts/' %}{% include at ~ 'foot.html' %}")

    assert warnings(folder) == {}


@pytest.mark.parametrize("source", ["", " \n\t", "\ufeff", "{# nothing yet #}\n"])
def test_an_empty_template_stops_the_start(folder: Path, source: str) -> None:
    (folder / "doc.html").write_text(source)
    (folder / "note.html").write_text(source)

    empty = "the file is empty: mails from it would have no content"
    assert problems(folder) == {"doc.html": empty, "note.html": empty}


def test_an_empty_text_part_is_reported_and_an_empty_partial_is_not(folder: Path) -> None:
    (folder / "doc.txt").write_text("\n")
    (folder / "_foot.html").touch()

    assert warnings(folder) == {
        "doc.txt": "the text part is empty; without this file it is made from the HTML"
    }


def test_a_template_that_shows_nothing_is_reported(folder: Path) -> None:
    (folder / "note.html").write_text("{% if room is defined %}{{ room }}{% endif %}")

    assert warnings(folder) == {
        "note.html": "is blank for a sample recipient who has a name and an id"
    }


def test_html_that_mail_clients_truncate_is_reported_and_a_huge_file_is_refused(
    folder: Path,
) -> None:
    (folder / "long.html").write_text("x" * 110_000)
    found = warnings(folder)
    with (folder / "huge.html").open("wb") as file:
        file.truncate(10 * 1024 * 1024 + 1)

    assert found == {"long.html": "its HTML has 107 KiB: Gmail shows the first 102 KiB only"}
    assert problems(folder) == {
        "huge.html": "is too large with 10,485,761 bytes: a template has at most 10 MiB"
    }


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_a_file_that_windows_saved_as_unicode_is_reported_with_the_encoding_to_use(
    folder: Path, encoding: str
) -> None:
    (folder / "doc.html").write_bytes("<p>{{ username }}</p>".encode(encoding))

    assert problems(folder) == {"doc.html": "is UTF-16 or not a text: save it as UTF-8"}


def test_a_link_to_a_file_outside_the_folder_is_reported_as_such(
    folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "shared.html").write_text("secret")
    (folder / "doc.html").unlink()
    (folder / "doc.html").symlink_to("../shared.html")

    assert problems(folder) == {
        "doc.html": "there is no file 'doc.html' in the template folder, "
        "only a link to a file outside it: copy the file"
    }


def test_a_doc_html_in_capitals_is_recognised(folder: Path) -> None:
    (folder / "doc.html").rename(folder / "Doc.html")

    assert problems(folder) == {
        f"{folder}/doc.html": "this file is missing: it makes the mails of requests that name no "
        "template; Doc.html is there: rename it in small letters"
    }


def test_a_missing_doc_html_does_not_hide_the_other_problems(folder: Path) -> None:
    (folder / "doc.html").rename(folder / "note.html")
    (folder / "other.html").write_text("{% endif %}")

    assert set(problems(folder)) == {f"{folder}/doc.html", "other.html"}


def test_a_path_that_is_not_a_folder_is_reported(folder: Path) -> None:
    assert problems(folder / "doc.html") == {
        f"{folder}/doc.html": "this is not a folder: name the one with doc.html"
    }


def test_an_unreadable_file_is_reported(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(Path, "read_bytes", refuse)  # root may read everything
    file_problems = problems(folder)
    monkeypatch.setattr(os, "scandir", refuse)
    folder_problems = problems(folder)

    assert file_problems == {"doc.html": "cannot be read: Permission denied"}
    assert folder_problems == {f"{folder}": "the folder cannot be read: Permission denied"}


@pytest.mark.parametrize(
    "source",
    [
        "{% include 'circle' %}",
        "{% include 'a\\0b' %}",
        "{% include '" + "long" * 100 + "' %}",
        "{% for a in 'a' %}" * 25 + "{% endfor %}" * 25,
        "{% include 'doc.html' %}",
        "{{ " + "(" * 300 + "1" + ")" * 300 + " }}",
    ],
    ids=["circle", "NUL", "long name", "nested blocks", "itself", "nested brackets"],
)
def test_a_template_that_breaks_the_renderer_has_a_problem(folder: Path, source: str) -> None:
    (folder / "circle").symlink_to("circle")
    (folder / "doc.html").write_text(source)

    assert set(problems(folder)) <= {"doc.html", "long" * 100}
