"""The variables that templates require, and the data of callers that fill them."""

from pathlib import Path

import pytest

from gcsched.adapters.mail.templates import Templates
from tests.support.template_folders import BUILT_IN, a_folder, load_problem, sample_variables


def list_required_variables(folder: Path) -> dict[str, tuple[str, ...]]:
    return {each.name: each.required_variables for each in Templates.load(folder).list_info()}


@pytest.mark.parametrize(
    ("source", "required"),
    [
        ("{{ username }}{{ due.year }}", ()),
        ("{{ room }}{{ link }}{{ room }}", ("link", "room")),
        ("{% if room %}{{ room }}{% endif %}", ("room",)),
        ("{{ room | default('?') }}{{ link | d('') | upper }}", ()),
        ("{{ room | default('?') }}{{ room }}", ("room",)),
        ("{% if room is defined %}in {{ room }}{% endif %}", ()),
        ("{% if room is undefined %}?{% else %}{{ room }}{% endif %}", ()),
        ("{% for each in rooms.split(',') %}{{ each }}{{ loop.index }}{% endfor %}", ("rooms",)),
        ("{% set room = 4 %}{{ room }}{{ range(3) | list }}", ()),
        ("{% include '_part.html' %}", ("city",)),
        ("{% extends '_base.html' %}{% block main %}{{ room }}{% endblock %}", ("city", "room")),
        ("{% macro bold(what) %}<b>{{ what }}</b>{% endmacro %}{{ bold(room) }}", ("room",)),
    ],
)
def test_the_variables_of_a_template_are_read_from_it(
    tmp_path: Path, source: str, required: tuple[str, ...]
) -> None:
    parts = {"_part_html": "{{ city }}", "_base_html": "{{ city }}{% block main %}{% endblock %}"}

    assert list_required_variables(a_folder(tmp_path, note_html=source, **parts)) == {
        "doc": (),
        **dict.fromkeys(BUILT_IN, ("meeting",)),
        "note": required,
    }


def test_a_template_requires_the_variables_of_both_parts(tmp_path: Path) -> None:
    folder = a_folder(tmp_path, note_html="{{ room }}", note_txt="{{ link }}", other_html="-")
    infos = {each.name: each for each in Templates.load(folder).list_info()}

    assert infos["note"].required_variables == ("link", "room")
    assert [infos[name].has_text for name in ("note", "other", "doc")] == [True, False, False]


def test_a_variable_that_is_optional_in_one_place_only_is_found_at_load(tmp_path: Path) -> None:
    source = "{% if room is defined %}!{% endif %}\n{{ room }}"

    problem = load_problem(a_folder(tmp_path, note_html=source))

    assert problem == "template note.html, line 2: 'room' is undefined"


def test_data_fills_a_template_and_is_never_run_as_one(tmp_path: Path) -> None:
    folder = a_folder(tmp_path, note_html="{{ room }}", note_txt="{{ room }}")
    sent = "<b>{{ 7 * 7 }}</b>{% include 'doc.html' %}"

    rendered = Templates.load(folder).render("note", sample_variables(), {"room": sent})

    assert rendered.text == sent
    assert rendered.html == sent.replace("<", "&lt;").replace(">", "&gt;").replace("'", "&#39;")


def test_data_cannot_override_the_standard_variables(tmp_path: Path) -> None:
    folder = a_folder(tmp_path, note_html="{{ username }}")

    rendered = Templates.load(folder).render(
        "note", sample_variables(), {"username": "Eve", "self": ""}
    )

    assert rendered.html == "Zoë"
