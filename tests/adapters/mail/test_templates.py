"""Templates as their operator writes them, and as recipients see them."""

import re
from collections.abc import Collection
from pathlib import Path

import pytest

from gcsched.adapters.mail.template_folder import default_folder
from gcsched.adapters.mail.templates import Templates
from gcsched.errors import TemplateProblem
from tests.support.command import run_python
from tests.support.template_folders import (
    BUILT_IN,
    a_folder,
    load_problem,
    sample_variables,
)


def test_the_default_templates_show_name_and_message_in_both_parts_and_no_time() -> None:
    templates = Templates.load(default_folder())

    rendered = templates.render("doc", sample_variables())

    for part in (re.sub("<[^>]*>", "", rendered.html), rendered.text):
        assert all(text in part for text in ("Hello Zoë,", "Review", "E-17", "j1"))
        assert not any(text in part for text in ("November", "2025", "09:30", "UTC", "Sent on"))


def test_a_custom_template_has_the_requested_time(tmp_path: Path) -> None:
    (tmp_path / "doc.html").write_text("{{ due.strftime('%d %B %Y at %H:%M %Z') }}", "utf-8")

    rendered = Templates.load(tmp_path).render("doc", sample_variables())

    assert rendered.html == "24 November 2025 at 09:30 UTC"


def test_the_default_templates_greet_a_recipient_without_a_name() -> None:
    templates = Templates.load(default_folder())

    rendered = templates.render("doc", sample_variables(username="", empid=""))

    assert "Hello,</p>" in rendered.html
    assert rendered.text.startswith("Hello,\n")
    assert "Employee" not in rendered.html + rendered.text


def test_the_default_html_loads_nothing_from_anywhere() -> None:
    source = (default_folder() / "doc.html").read_text("utf-8")

    for loading in ("src=", "url(", "@import", "<link", "<img", "href="):
        assert loading not in source


def test_a_folder_with_only_a_username_in_doc_html_renders_as_it_is(tmp_path: Path) -> None:
    source = '<h1>Hi {{username}}</h1><p>See <a href="https://example.org/x">this</a></p>'
    templates = Templates.load(a_folder(tmp_path, doc_html=source))

    rendered = templates.render("doc", sample_variables(username="Ann"))

    assert rendered.html == source.replace("{{username}}", "Ann")
    assert rendered.text.split() == ["Hi", "Ann", "See", "[this](https://example.org/x)"]


def test_a_text_part_is_never_escaped_and_an_html_part_always(tmp_path: Path) -> None:
    source = "{{ username }}"
    templates = Templates.load(a_folder(tmp_path, doc_html=source, doc_txt=source))

    rendered = templates.render("doc", sample_variables(username="<b>&'"))

    assert rendered.html == "&lt;b&gt;&amp;&#39;"
    assert rendered.text == "<b>&'"


def test_a_text_file_included_by_html_is_escaped_too(tmp_path: Path) -> None:
    files = {"doc_html": "{% include 'sign.txt' %}", "sign_txt": "{{ username }}"}
    templates = Templates.load(a_folder(tmp_path, **files))

    rendered = templates.render("doc", sample_variables(username="<b>"))

    assert rendered.html == "&lt;b&gt;"


def test_values_of_a_caller_are_never_run_as_a_template(tmp_path: Path) -> None:
    source = "{{ username }}|{{ empid }}|{{ email }}|{{ message }}|{{ job_id }}"
    templates = Templates.load(a_folder(tmp_path, doc_html=source, doc_txt=source))
    sent = "{{ 7*7 }}{% include doc.txt %}"

    rendered = templates.render(
        "doc", sample_variables(username=sent, empid=sent, email=sent, message=sent, job_id=sent)
    )

    assert rendered.text == rendered.html == "|".join([sent] * 5)


def test_every_other_html_file_is_one_more_template(tmp_path: Path) -> None:
    folder = a_folder(tmp_path, note_html="<i>{{ message }}</i>", note_txt="- {{ message }}")
    templates = Templates.load(folder)

    rendered = templates.render("note", sample_variables(message="Soon"))

    assert rendered.html == "<i>Soon</i>"
    assert rendered.text == "- Soon"


def test_templates_may_extend_include_and_import_within_their_folder(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "foot.html").write_text("{{ closing }} {{ email }}", "utf-8")
    files = {
        "_base_html": "<main>{% block body %}{% endblock %}</main>",
        "_macros_html": "{% macro strong(what) %}<b>{{ what }}</b>{% endmacro %}",
        "doc_html": "{% extends '_base.html' %}{% from '_macros.html' import strong %}"
        "{% block body %}{% set closing = 'Yours' %}{{ strong(username) }}"
        "{% include 'parts/foot.html' %}{% endblock %}",
    }
    templates = Templates.load(a_folder(tmp_path, **files))

    rendered = templates.render("doc", sample_variables(username="A&B"))

    assert rendered.html == "<main><b>A&amp;B</b>Yours zoe@example.org</main>"


def test_a_partial_is_not_a_template_to_send(tmp_path: Path) -> None:
    templates = Templates.load(a_folder(tmp_path, _base_html="{{ 1 // 0 }}"))

    assert set(templates.by_name) == {"doc", *BUILT_IN}


@pytest.mark.parametrize(
    "way_out",
    [
        "{% include '../outside.html' %}",
        "{% include 'link.html' %}",
        "{% extends '/etc/hostname' %}",
        "{% if not username %}{% include '../outside.html' %}{% endif %}",
        "{% set up = '../outside.html' %}{% include up %}",
    ],
)
def test_nothing_outside_the_folder_can_be_read(tmp_path: Path, way_out: str) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    (tmp_path / "outside.html").write_text("secret", "utf-8")
    (inside / "link.html").symlink_to(tmp_path / "outside.html")

    problem = load_problem(a_folder(inside, doc_html=way_out))

    assert "there is no file" in problem


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("{% if username %}", "template doc.html, line 2: Unexpected end of template"),
        (
            "{{ nickname }}",
            "template doc.html, line 2: unknown variable 'nickname': use one of due,",
        ),
        ("{{ username|shout }}", "template doc.html, line 2: No filter named 'shout'."),
        ("{{ due.isoformt() }}", "template doc.html, line 2: 'datetime.datetime object' has no"),
        ("{{ 1 // message|length }}{{ 1 // empid|length }}", "line 2: integer division or modulo"),
        ("{{ username + 1 }}", "template doc.html, line 2: can only concatenate str"),
        ("{{ ''.__class__.__mro__ }}", "line 2: access to attribute '__class__'"),
        ("{% include 'lost.html' %}", "line 2: there is no file 'lost.html'"),
        ("{% if not due %}{% include 'lost.html' %}{% endif %}", "there is no file 'lost.html'"),
        ("{{ [1, 2]|random }}", "line 2: No filter named 'random'."),
    ],
)
def test_a_template_that_would_fail_later_fails_at_load_with_file_and_line(
    tmp_path: Path, source: str, problem: str
) -> None:
    assert problem in load_problem(a_folder(tmp_path, doc_html=f"\n{source}"))


def test_all_problems_are_named_at_once_and_each_once(tmp_path: Path) -> None:
    files = {
        "doc_html": "{{ nickname }}\n{{ due.nothing }}",
        "doc_txt": "{% endif %}",
        "note_html": "{{ message | nothing }}",
    }
    problem = load_problem(a_folder(tmp_path, **files))

    locations = [line.split(":")[0].removeprefix("template ") for line in problem.splitlines()]
    assert sorted(locations) == [
        *("doc.html, line 1", "doc.html, line 2"),
        *("doc.txt, line 1", "note.html, line 1"),
    ]


def test_a_failing_part_is_named_itself_not_the_file_that_includes_it(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "foot.html").write_text("\n\n{{ email // 2 }}", "utf-8")

    problem = load_problem(a_folder(tmp_path, doc_html="{% include 'parts/foot.html' %}"))

    assert problem.startswith("template parts/foot.html, line 3: unsupported operand")


def test_a_file_that_may_be_missing_is_not_a_problem(tmp_path: Path) -> None:
    folder = a_folder(tmp_path, doc_html="a{% include 'maybe.html' ignore missing %}b")

    rendered = Templates.load(folder).render("doc", sample_variables())

    assert rendered.html == "ab"


def test_a_file_that_is_not_utf8_is_named_with_its_line(tmp_path: Path) -> None:
    folder = a_folder(tmp_path)
    (folder / "doc.html").write_bytes(b"<p>\nGr\xfc\xdfe</p>")

    assert load_problem(folder) == "template doc.html, line 2: this line is not UTF-8"


def test_a_byte_order_mark_is_not_part_of_the_mail(tmp_path: Path) -> None:
    folder = a_folder(tmp_path)
    (folder / "doc.html").write_bytes(b"\xef\xbb\xbf<p>{{ username }}</p>")

    assert Templates.load(folder).render("doc", sample_variables()).html == "<p>Zoë</p>"


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    assert "absent: there is no such folder" in load_problem(tmp_path / "absent")


def test_a_folder_without_doc_html_is_reported_with_the_file_that_it_needs(tmp_path: Path) -> None:
    assert "doc.html: this file is missing" in load_problem(tmp_path)


def test_an_unknown_template_is_named_when_rendered(tmp_path: Path) -> None:
    templates = Templates.load(a_folder(tmp_path))

    with pytest.raises(TemplateProblem, match=r"template gone\.html: there is no such template"):
        templates.render("gone", sample_variables())


def test_a_template_that_fails_for_one_person_names_its_line(tmp_path: Path) -> None:
    source = "<p>\n{{ 1 // (username != 'Bob')|int }}</p>"
    templates = Templates.load(a_folder(tmp_path, doc_html=source))

    with pytest.raises(TemplateProblem, match=r"template doc\.html, line 2: integer division"):
        templates.render("doc", sample_variables(username="Bob"))


def test_a_file_changed_after_loading_changes_no_mail(tmp_path: Path) -> None:
    templates = Templates.load(a_folder(tmp_path, doc_html="old"))
    a_folder(tmp_path, doc_html="new")

    assert templates.render("doc", sample_variables()).html == "old"


@pytest.mark.parametrize(
    ("files", "is_loaded"), [(("doc.html", "doc.txt"), False), (("doc.html",), True)]
)
async def test_lxml_is_imported_only_where_a_template_has_no_text_part(
    tmp_path: Path, files: Collection[str], *, is_loaded: bool
) -> None:
    for name in files:
        (tmp_path / name).write_text("{{ message }}", encoding="utf-8")
    code = (
        "import sys; from pathlib import Path;"
        " from gcsched.adapters.mail.templates import Templates;"
        f" Templates.load(Path({str(tmp_path)!r})); print('lxml' in sys.modules)"
    )

    done = await run_python("-c", code)

    assert done.stdout.strip() == str(is_loaded), done.stderr
