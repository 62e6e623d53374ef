"""Each problem of a template folder is reported once, with its place, to the author."""

from pathlib import Path

import pytest

from gcsched.adapters.mail import template_files
from gcsched.adapters.mail.template_analysis import Finding
from gcsched.adapters.mail.template_validation import validate_folder

ENDLESS = "it extends, includes or calls itself endlessly"


def find_problems(folder: Path, **files: str) -> list[Finding]:
    """Write *files* (``doc`` becomes doc.html); return the problems of the folder."""
    for name, source in files.items():
        (folder / f"{name}.html").write_text(source)
    return validate_folder(folder).problems


def test_a_missing_file_is_one_problem_however_many_templates_include_the_line(
    tmp_path: Path,
) -> None:
    missing = "there is no file '../x.html' in the template folder"

    found = find_problems(
        tmp_path,
        doc="<p>\n{% include '../x.html' %}",
        note="{% include 'doc.html' %}",
        reminder="{% extends 'doc.html' %}",
    )

    assert found == [("doc.html", 2, missing)]


def test_a_missing_file_whose_name_is_computed_is_reported_with_the_line(tmp_path: Path) -> None:
    found = find_problems(tmp_path, doc="<p>\n\n{% set at = 'x' %}{% include at ~ '.html' %}")

    assert found == [("doc.html", 3, "there is no file 'x.html' in the template folder")]


def test_several_candidates_for_an_include_are_all_named(tmp_path: Path) -> None:
    found = find_problems(tmp_path, doc="<p>{% include ['a.html', 'b.html'] %}")

    assert found == [
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
def test_recursive_templates_are_reported_as_such(tmp_path: Path, source: str) -> None:
    (tmp_path / "_part.html").write_text("{% include 'doc.html' %}")

    [(file, line, problem)] = find_problems(tmp_path, doc=source)

    assert (file in {"doc.html", "_part.html"}, line, problem) == (True, 1, ENDLESS)


def test_deep_nesting_is_not_reported_as_recursion(tmp_path: Path) -> None:
    [(file, _, problem)] = find_problems(tmp_path, doc=f"{{{{ {'(' * 5_000}1{')' * 5_000} }}}}")

    assert (file, problem) == ("doc.html", "its code is nested too deeply")


@pytest.mark.parametrize(("limit", "is_cut"), [(5, True), (6, False)])
def test_a_folder_that_is_too_large_to_scan_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int, *, is_cut: bool
) -> None:
    monkeypatch.setattr(template_files, "MAX_FILES_SCANNED", limit)
    (tmp_path / "doc.html").write_text("<p>{{ username }}")
    for name in ("a/1", "b/1", "b/2", "b/3", "b/4", "b/5"):
        (tmp_path / name[0]).mkdir(exist_ok=True)
        (tmp_path / f"{name}.html").touch()

    found = {file: problem for file, _, problem in validate_folder(tmp_path).warnings}

    assert found["a/"].startswith("ignored, because no template includes a/1.html. Templates")
    count = "and more" if is_cut else "and 2 more"
    assert f" includes b/1.html, b/2.html, b/3.html {count}. Templates" in found["b/"]
    last = "only the first 5 files in sub-folders were scanned"
    assert found.get(f"{tmp_path}") == (last if is_cut else None)
