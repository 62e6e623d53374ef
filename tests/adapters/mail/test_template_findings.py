"""Each fault of a template folder is told once, where it is, in words for its author."""

from pathlib import Path

import pytest

from gcsched.adapters.mail import template_files
from gcsched.adapters.mail.template_analysis import Finding
from gcsched.adapters.mail.template_validation import validate_folder

ENDLESS = "it extends, includes or calls itself without end"


def find_problems(folder: Path, **files: str) -> list[Finding]:
    """Write *files* (``doc`` becomes doc.html); return the problems of the folder."""
    for name, source in files.items():
        (folder / f"{name}.html").write_text(source)
    return validate_folder(folder).problems


def test_a_file_that_is_missing_is_one_problem_whatever_includes_the_line(tmp_path: Path) -> None:
    missing = "there is no file '../x.html' in the template folder"

    told = find_problems(
        tmp_path,
        doc="<p>\n{% include '../x.html' %}",
        note="{% include 'doc.html' %}",
        reminder="{% extends 'doc.html' %}",
    )

    assert told == [("doc.html", 2, missing)]


def test_a_missing_file_whose_name_is_computed_is_told_with_the_line(tmp_path: Path) -> None:
    told = find_problems(tmp_path, doc="<p>\n\n{% set at = 'x' %}{% include at ~ '.html' %}")

    assert told == [("doc.html", 3, "there is no file 'x.html' in the template folder")]


def test_of_several_files_that_would_do_all_are_named(tmp_path: Path) -> None:
    told = find_problems(tmp_path, doc="<p>{% include ['a.html', 'b.html'] %}")

    assert told == [
        ("doc.html", 1, "none of the files 'a.html', 'b.html' is in the template folder")
    ]


@pytest.mark.parametrize(
    "source",
    [
        "{% extends 'doc.html' %}",
        "<p>{% include 'doc.html' %}",
        "<p>{% import 'doc.html' as it %}",
        "<p>{% include '_part.html' %}",
        "{% macro again() %}{{ again() }}{% endmacro %}<p>{{ again() }}",
    ],
)
def test_what_refers_to_itself_is_told_so(tmp_path: Path, source: str) -> None:
    (tmp_path / "_part.html").write_text("{% include 'doc.html' %}")

    [(file, line, problem)] = find_problems(tmp_path, doc=source)

    assert (file in {"doc.html", "_part.html"}, line, problem) == (True, 1, ENDLESS)


def test_what_is_nested_too_deeply_is_not_said_to_refer_to_itself(tmp_path: Path) -> None:
    [(file, _, problem)] = find_problems(tmp_path, doc=f"{{{{ {'(' * 5_000}1{')' * 5_000} }}}}")

    assert (file, problem) == ("doc.html", "its code is nested too deeply")


@pytest.mark.parametrize(("most", "is_cut"), [(5, True), (6, False)])
def test_a_folder_that_is_too_large_to_be_looked_at_is_said_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int, *, is_cut: bool
) -> None:
    monkeypatch.setattr(template_files, "MAX_LOOKED_AT", most)
    (tmp_path / "doc.html").write_text("<p>{{ username }}")
    for name in ("a/1", "b/1", "b/2", "b/3", "b/4", "b/5"):
        (tmp_path / name[0]).mkdir(exist_ok=True)
        (tmp_path / f"{name}.html").touch()

    told = {file: problem for file, _, problem in validate_folder(tmp_path).warnings}

    assert told["a/"].startswith("ignored but for what templates include; a/1.html: not")
    count = "and more" if is_cut else "and 2 more"
    assert f"; b/1.html, b/2.html, b/3.html {count}: not included." in told["b/"]
    last = "only the first 5 files in sub-folders were looked at"
    assert told.get(f"{tmp_path}") == (last if is_cut else None)
