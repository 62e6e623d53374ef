"""A mail that is filled in is, octet for octet, the mail that is rendered and encoded."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from gcsched.adapters.mail.composer import Composer, encode_bodies
from gcsched.adapters.mail.template_folder import default_folder
from gcsched.adapters.mail.templates import Template, Templates
from gcsched.adapters.smtp.envelope import EncodedMail
from gcsched.domain.job import Job
from gcsched.domain.mail import Mail
from tests.support.builders import a_job

DUE = datetime(2026, 3, 29, 0, 59, 59, tzinfo=UTC)  # a second before summer time in Berlin
ASCII = st.characters(min_codepoint=0x20, max_codepoint=0x7E)
ANY = st.characters(exclude_categories=["Cs"])
HTML_AND_SLOTS = st.sampled_from(
    ["<b>", "&amp;", "{{ message }}", "'\"", ".", "=_", "\ue0001\ue001"]
)
TEXTS = st.one_of(
    st.text(ASCII, max_size=120),
    st.text(ANY, max_size=40),
    st.lists(st.one_of(HTML_AND_SLOTS, st.text(ASCII, max_size=20))).map("".join),
    st.integers(900, 1_000).map(lambda length: "x" * length),
)
DUES = st.integers(0, 2_000_000).map(lambda second: DUE + timedelta(seconds=second))

MESSAGES = TEXTS.map(lambda text: "".join(filter(str.isprintable, text)) or "Stand-up")
JOBS = st.builds(
    a_job, id=st.just("j-1"), name=TEXTS, empid=TEXTS, message=MESSAGES, schedule_time=DUES
)


def a_composer(folder: Path) -> Composer:
    return Composer(
        templates=Templates.load(folder),
        sender_email="no-reply@example.org",
        sender_name="Scheduler",
        timezone=ZoneInfo("Europe/Berlin"),
    )


@pytest.fixture(scope="module")
def composer() -> Composer:
    return a_composer(default_folder())


def compose_by_rendering(composer: Composer, job: Job) -> Mail:
    """Compose *job* by rendering, whatever its values are."""
    return composer.build_mail(job, encode_bodies(job, composer.render(job)))


def is_prerendered(composer: Composer, name: str = "doc") -> bool:
    return composer.templates.find_prerenderer(name) is not None


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Lend a folder with the default template, to write others beside it."""
    for file in default_folder().glob("doc.*"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path


def write(folder: Path, html: str, text: str = "{{ message }}", *, name: str = "own") -> None:
    (folder / f"{name}.html").write_text(html, encoding="utf-8")
    (folder / f"{name}.txt").write_text(text, encoding="utf-8")


def on_the_wire(mail: Mail) -> bytes:
    return EncodedMail.encode(mail).dot_stuff(DUE)


@settings(deadline=None, max_examples=400)
@given(job=JOBS)
@example(job=a_job(name="", empid="", message="A&B <i>'quoted\"</i>"))
@example(job=a_job(name="x" * 256, empid="y" * 128, message="z" * 600))
@example(job=a_job(name=".", empid=".", message=".hidden"))
def test_the_default_template_gives_the_same_octets_both_ways(composer: Composer, job: Job) -> None:
    filled, whole = composer.compose(job), compose_by_rendering(composer, job)

    assert filled == whole
    assert on_the_wire(filled) == on_the_wire(whole)


@pytest.mark.parametrize("name", ["", "Ada", "Zoë", "A\nB"])
@pytest.mark.parametrize("reply_to", ["", "team@example.org", "zoë@example.org"])
@pytest.mark.parametrize("email", ["ada@example.org", "zoë@example.org", "ada@exämple.org"])
def test_odd_names_and_addresses_give_the_same_mail_both_ways(
    composer: Composer, name: str, reply_to: str, email: str
) -> None:
    job = a_job(name=name, reply_to=reply_to, email=email)

    assert composer.compose(job) == compose_by_rendering(composer, job)


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>{{ message }}</p>", "{{ message }}"),
        ("<p>{{ message }}", "{{ message }}{{ username }}\n\n\n"),
        (
            "{% if not username %}Hello{% elif empid and email %}{{ empid }}{% else %}-{% endif %}",
            "-",
        ),
        ("<p>{{ '<' ~ username ~ '>' if username }}</p>", "{{ 'A' if empid else 'B' ~ message }}"),
        ("<p>{{ due.strftime('%d %B %Y, %H:%M %Z') }}</p>", "{{ due.hour + 1 }} {{ message }}"),
        ("{% if due.hour > 1 %}late{% else %}early{% endif %}", "{{ due | string | upper }}"),
        ("{% include '_head.html' %}<p>{{ message }}</p>", "{{ message }}\r\n{{ email }}"),
        ("{% extends '_base.html' %}{% block body %}{{ message }}{% endblock %}", "{{ job_id }}"),
        ("<p>" + "x" * 800 + "{{ message }}</p>", "{{ message }}"),
        ("{# a comment #}{{ message }}", "."),
        (".{{ username }}\n.{{ message }}", "{{ username }}\n{{ message }}\n.\n{{ empid }}"),
    ],
)
@given(job=JOBS)
@settings(deadline=None, max_examples=40)
def test_templates_that_only_put_values_in_are_prerendered_to_the_same_octets(
    tmp_path_factory: pytest.TempPathFactory, html: str, text: str, job: Job
) -> None:
    composer = composer_of(tmp_path_factory, html, text)
    own = replace(job, template="own")

    assert is_prerendered(composer, "own")
    filled, whole = composer.compose(own), compose_by_rendering(composer, own)
    assert filled == whole
    assert on_the_wire(filled) == on_the_wire(whole)


COMPOSERS: dict[tuple[str, str], Composer] = {}


def composer_of(factory: pytest.TempPathFactory, html: str, text: str) -> Composer:
    """Load a template once for all examples."""
    if (html, text) not in COMPOSERS:
        folder = factory.mktemp("templates")
        for file in default_folder().glob("doc.*"):
            (folder / file.name).write_bytes(file.read_bytes())
        (folder / "_head.html").write_text("<h1>{{ username }}</h1>", encoding="utf-8")
        (folder / "_base.html").write_text(
            "<body>{{ email }}{% block body %}{% endblock %}</body>", encoding="utf-8"
        )
        write(folder, html, text)
        COMPOSERS[html, text] = a_composer(folder)
    return COMPOSERS[html, text]


@pytest.mark.parametrize(
    "html",
    [
        "{{ message.upper() }}",
        "{{ message.format(due) }}",  # the caller's text would be the format string
        "{{ message | upper }}",
        "{{ message | length }}",
        "{{ message[:3] }}",
        "{{ message | e }}",
        "{{ username or 'colleague' }}",
        "{{ 'a' + message }}",
        "{{ message ~ (username | upper) }}",
        "{% if message == 'Stand-up' %}a{% endif %}{{ message }}",
        "{% if message in empid %}a{% endif %}{{ message }}",
        "{% for letter in message %}{{ letter }}{% endfor %}",
        "{% set word = message %}{{ word }}",
        "{% filter upper %}{{ message }}{% endfilter %}",
        "{% macro put(word) %}{{ word }}{% endmacro %}{{ put(message) }}",
        "{% autoescape false %}{{ message }}{% endautoescape %}",
        "{% with word = message %}{{ word }}{% endwith %}",
        "{{ room }} {{ message }}",  # a variable that callers send
        "{{ room | default('?') }} {{ message }}",
        "{{ due.strftime(message) }}",
        "{{ range(3) | list }} {{ message }}",
        "{{ message }} é",
        "{% include ['_gone.html', '_head.html'] %}{{ message }}",
        "{% include '_gone.html' ignore missing %}{{ message }}",
        "{% include '_upper.html' %}{{ message }}",
        "{{ self.body() }}{% block body %}{{ message }}{% endblock %}",
    ],
)
def test_any_other_template_is_rendered_for_each_mail(folder: Path, html: str) -> None:
    (folder / "_head.html").write_text("head", encoding="utf-8")
    (folder / "_upper.html").write_text("{{ message | upper }}", encoding="utf-8")
    write(folder, html)
    composer = a_composer(folder)

    assert not is_prerendered(composer, "own")
    job = a_job(template="own", variables={"room": "A"})
    assert composer.compose(job) == compose_by_rendering(composer, job)


def test_a_template_without_a_text_part_is_rendered_for_each_mail(folder: Path) -> None:
    (folder / "own.html").write_text("<p>{{ message }}</p>", encoding="utf-8")

    assert not is_prerendered(a_composer(folder), "own")


def test_the_callers_variables_cannot_replace_a_value(composer: Composer) -> None:
    job = a_job(variables={"message": "forged", "username": "forged", "other": "x"})

    assert b"forged" not in composer.compose(job).content
    assert composer.compose(job) == compose_by_rendering(composer, job)


def test_a_value_is_never_searched_for_markers_or_code(composer: Composer) -> None:
    job = a_job(name="{{ message }}", empid="{% if x %}", message="{{ 7 * 7 }} {{ job_id }}")

    content = composer.compose(job).content

    # In the subject, the text, and the title and headline of the HTML.
    assert content.count(b"{{ 7 * 7 }} {{ job_id }}") == 4
    assert content.count(b"{{ message }}") == 3  # the name: in To, the text and the HTML


def test_one_rendering_serves_all_mails_with_the_same_values_present(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    composer = a_composer(folder)
    renderings = list[object]()
    render = Template.render

    def count(template: Template, *args: Any) -> object:
        renderings.append(template)
        return render(template, *args)

    monkeypatch.setattr(Template, "render", count)

    for number in range(50):
        composer.compose(a_job(id=f"j-{number}", schedule_time=DUE + timedelta(hours=number)))
    composer.compose(a_job(name=""))

    assert len(renderings) == 2  # with a name and without one; the due time plays no part


def test_a_template_that_shows_the_due_time_is_rendered_once_for_each(folder: Path) -> None:
    write(folder, "<p>{{ due.isoformat() }} {{ message }}</p>")
    composer = a_composer(folder)

    early = composer.compose(a_job(template="own", schedule_time=DUE)).content
    late = composer.compose(a_job(template="own", schedule_time=DUE + timedelta(seconds=1))).content

    assert b"2026-03-29T01:59:59+01:00" in early
    assert b"2026-03-29T03:00:00+02:00" in late  # the clocks went forward meanwhile
