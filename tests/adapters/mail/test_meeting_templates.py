"""Templates that show a meeting: which there are, what they may use, and what becomes of it."""

from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from gcsched.adapters.mail.composer import Composer
from gcsched.adapters.mail.template_folder import default_folder
from gcsched.adapters.mail.template_structure import MEETING_TEXTS
from gcsched.adapters.mail.templates import Templates
from gcsched.domain.job import Job
from tests.support.invitations import an_invitation_job, compose_by_rendering, parse_mail
from tests.support.template_folders import a_folder, load_problem


def compose_parts(folder: Path, job: Job) -> tuple[str, str]:
    """Return the text and the HTML of the mail; both ways of making it must give the same."""
    composer = Composer(
        templates=Templates.load(folder),
        sender_email="people@example.org",
        sender_name="People Team",
        timezone=ZoneInfo("Europe/Berlin"),
    )
    mail = composer.compose(job)
    assert mail == compose_by_rendering(composer, job)
    bodies = [parse_mail(mail.content).get_body((kind,)) for kind in ("plain", "html")]
    text, html = (body.get_content().replace("\r\n", "\n") for body in bodies if body is not None)
    return text, html


def test_a_folder_without_an_invitation_has_the_built_in_one(tmp_path: Path) -> None:
    own, built_in = Templates.load(a_folder(tmp_path)), Templates.load(default_folder())
    job = an_invitation_job()

    assert own.variables_by_template == {"doc": frozenset(), "invitation": frozenset({"meeting"})}
    assert compose_parts(tmp_path, job) == compose_parts(default_folder(), job)
    assert built_in.variables_by_template == own.variables_by_template


def test_a_folder_may_replace_the_invitation(tmp_path: Path) -> None:
    folder = a_folder(
        tmp_path, invitation_html="<p>{{ meeting.summary }}</p>", invitation_txt="{{ message }}"
    )

    assert compose_parts(folder, an_invitation_job(summary="Tea & cake")) == (
        "Tea & cake\n",
        "<p>Tea &amp; cake</p>\n",
    )


@pytest.mark.parametrize("name", MEETING_TEXTS)
def test_each_text_of_a_meeting_is_shown_and_prerendered(tmp_path: Path, name: str) -> None:
    source = f"{{{{ meeting.{name} }}}}"
    folder = a_folder(tmp_path, own_html=source, own_txt=source)

    text, html = compose_parts(folder, an_invitation_job(job={"template": "own"}))

    assert text.strip()
    assert "{{" not in html
    assert Templates.load(folder).find_prerenderer("own") is not None


def test_a_description_keeps_its_lines_in_html(tmp_path: Path) -> None:
    source = "{{ meeting.description }}"
    folder = a_folder(tmp_path, own_html=f"<p>{source}</p>", own_txt=source)
    job = an_invitation_job(job={"template": "own"}, description=" one\r\n<two>\r.three\n\n")

    text, html = compose_parts(folder, job)

    assert text == "one\n<two>\n.three\n"
    assert html == "<p>one<br>\n&lt;two&gt;<br>\n.three</p>\n"


@pytest.mark.parametrize(
    "source",
    [
        "{{ meeting.start_time.strftime('%d.%m.%Y %H:%M') }}",
        "{{ meeting.summary | upper }}",
        "{{ meeting.description.splitlines() | join('; ') }}",
        "{% if meeting is defined %}{{ meeting.when }}{% endif %}",
    ],
)
def test_other_uses_of_a_meeting_are_rendered_for_each_mail(tmp_path: Path, source: str) -> None:
    folder = a_folder(tmp_path, own_html=source, own_txt=source)

    text, _ = compose_parts(folder, an_invitation_job(job={"template": "own"}))

    assert Templates.load(folder).find_prerenderer("own") is None
    assert text.strip()


def test_a_template_that_tests_for_a_meeting_is_for_all_mails(tmp_path: Path) -> None:
    source = "{% if meeting is defined %}{{ meeting.location }}{% else %}no meeting{% endif %}"
    folder = a_folder(tmp_path, own_html=source, own_txt=source)
    without = an_invitation_job(job={"template": "own", "meeting": None})

    assert Templates.load(folder).variables_by_template["own"] == frozenset()
    assert compose_parts(folder, an_invitation_job(job={"template": "own"}))[0] == (
        "Room 4.2, second floor\n"
    )
    assert compose_parts(folder, without)[0] == "no meeting\n"


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        ({"doc_html": "{{ meeting.when }}"}, "doc.html, line 1: unknown variable 'meeting'"),
        ({"invitation_html": "\n{{ room }}"}, "invitation.html, line 2: unknown variable 'room'"),
        ({"own_html": "{{ meeting.room }}"}, "own.html, line 1: "),
        ({"own_html": "-", "own_txt": "\n{{ meeting.url.nothing }}"}, "own.txt, line 2: "),
        (
            {"own_html": "{% if meeting is defined %}\n{{ meeting.room }}{% endif %}"},
            "own.html, line 2: ",
        ),
    ],
)
def test_a_mistake_with_a_meeting_is_found_at_the_start(
    tmp_path: Path, files: dict[str, str], problem: str
) -> None:
    assert problem in load_problem(a_folder(tmp_path, **files))
