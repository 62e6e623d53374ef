"""Templates that show a meeting: which there are, what they may use, and what becomes of it."""

import re
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from msgspec import structs

from gcsched.adapters.mail.composer import Composer
from gcsched.adapters.mail.template_folder import default_folder
from gcsched.adapters.mail.template_structure import CHANGE_TEXTS, MEETING_TEXTS
from gcsched.adapters.mail.templates import Templates
from gcsched.domain.job import Job
from tests.support.invitations import (
    INTERVIEW,
    an_invitation_job,
    compose_by_rendering,
    parse_mail,
)
from tests.support.meeting_mails import CANCELLED, KINDS, a_meeting_job
from tests.support.template_folders import BUILT_IN, a_folder, load_problem


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


@pytest.mark.parametrize("own", [(), ("update",), BUILT_IN[1:]])
def test_a_folder_has_the_built_in_templates_that_it_lacks(
    tmp_path: Path, own: tuple[str, ...]
) -> None:
    folder = a_folder(
        tmp_path, **{f"{name}_{kind}": "own" for name in own for kind in ("html", "txt")}
    )

    found = Templates.load(folder).variables_by_template
    required = {name: frozenset({"meeting"}) for name in BUILT_IN}
    assert found == {"doc": frozenset()} | required | dict.fromkeys(own, frozenset())
    for kind in KINDS:
        job = a_meeting_job(kind)
        built_in = compose_parts(default_folder(), job)
        is_own = job.template in own
        assert compose_parts(folder, job) == (("own\n", "own\n") if is_own else built_in)


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

    text, html = compose_parts(folder, a_meeting_job("cancellation", job={"template": "own"}))

    assert text.strip()
    assert "{{" not in html
    assert Templates.load(folder).find_prerenderer("own") is not None


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        *(
            (f"{{% for change in meeting.changes %}}{{{{ change.{name} }}}};{{% endfor %}}", shown)
            for name, shown in zip(
                CHANGE_TEXTS,
                (
                    "when;location;description;",
                    "When;Where;Description;",
                    "Room 4.2, second floor;",
                    "Library, first floor;",
                ),
                strict=True,
            )
        ),
        ("{% if meeting.changes %}changed{% else %}the same{% endif %}", "changed"),
        ("{{ 'off for you' if meeting.is_removal else 'on' }}", "on"),
        (
            "{% for change in meeting.changes %}{% if not change.old %}x{% endif %}{% endfor %}-",
            "-",
        ),
    ],
)
def test_changes_and_a_removal_are_tested_and_prerendered(
    tmp_path: Path, source: str, shown: str
) -> None:
    folder = a_folder(tmp_path, own_html=source, own_txt=source)

    text, _ = compose_parts(folder, a_meeting_job("update", job={"template": "own"}))

    assert shown in text
    assert Templates.load(folder).find_prerenderer("own") is not None


def test_a_removal_is_told_from_a_cancellation_and_other_mails_have_no_changes(
    tmp_path: Path,
) -> None:
    source = "{{ 'removed' if meeting.is_removal }}{% if not meeting.changes %}!{% endif %}"
    folder = a_folder(tmp_path, own_html=source, own_txt=source)

    texts = {
        kind: compose_parts(folder, a_meeting_job(kind, job={"template": "own"}))[0].strip()
        for kind in KINDS
    }

    assert texts == {
        "invitation": "!",
        "update": "",
        "reminder": "!",
        "removal": "removed!",
        "cancellation": "!",
    }


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
        "{% for each in meeting.changes %}{{ each.label }}{% endfor %}",
        "{% for change in meeting.changes %}{{ loop.index }}{% endfor %}",
        "{% for change in meeting.changes if change.old %}{{ change.old }}{% endfor %}",
        "{% for change in meeting.changes %}{{ change.old }}{% else %}none{% endfor %}",
        "{% for change in meeting.changes %}{% if change.name == 'when' %}!{% endif %}{% endfor %}",
        "{{ meeting.changes | length }}",
        "{{ meeting.is_removal }}",
        "{% if meeting is defined %}{{ meeting.when }}{% endif %}",
    ],
)
def test_other_uses_of_a_meeting_are_rendered_for_each_mail(tmp_path: Path, source: str) -> None:
    folder = a_folder(tmp_path, own_html=source, own_txt=source)

    text, _ = compose_parts(folder, a_meeting_job("update", job={"template": "own"}))

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
        ({"update_html": "{{ room }}"}, "update.html, line 1: unknown variable 'room'"),
        ({"cancellation_html": "{{ why }}"}, "cancellation.html, line 1: unknown variable 'why'"),
        ({"reminder_html": "{{ room }}"}, "reminder.html, line 1: unknown variable 'room'"),
        (
            {"own_html": "{% for change in meeting.changes %}\n{{ change.room }}{% endfor %}"},
            "own.html, line 2: ",
        ),
        (
            {"own_html": "{% if meeting.is_removal %}\n{{ meeting.reason.x }}{% endif %}"},
            "own.html, line 2: ",
        ),
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


def test_an_update_says_what_has_changed_and_shows_the_whole_meeting() -> None:
    text, html = compose_parts(default_folder(), a_meeting_job("update"))

    head, details = text.split("The meeting now:")
    assert "this meeting has changed:\n\nInterview with Ada Lovelace" in head
    assert "Where: Library, first floor\n  before: Room 4.2, second floor\n" in head
    assert "Description: ...Please bring: - the notes - a pencil - some tea\n" in head
    assert "Link" not in head  # it is the same
    assert "When: Wednesday, 6 January 2027, 14:00-14:45 (Europe/Berlin, UTC+1)\n" in details
    assert "Link: https://meet.example.org/j/42\n" in details
    assert "even if you\nanswered before" in details
    assert html.count("Before: <s") == 3


def test_an_update_says_what_is_new_and_what_is_gone() -> None:
    changed = a_meeting_job("update", location="", url="https://example.org/new")
    earlier = structs.replace(INTERVIEW, url="", description="")

    text, html = compose_parts(
        default_folder(),
        structs.replace(changed, meeting=structs.replace(changed.meeting, earlier=earlier)),
    )

    assert "Where: no longer given\n  before: Room 4.2, second floor\n" in text
    assert "Link: https://example.org/new\n  before: not given\n" in text
    assert "No longer given</p>" in html
    assert html.count("Not given before") == 2


def test_an_update_without_known_changes_claims_none() -> None:
    text, html = compose_parts(default_folder(), a_meeting_job("update", mail={"earlier": None}))

    for part in (text, html):
        assert "changed" not in part
        assert "here are the present details of" in part


def test_a_removal_does_not_say_that_the_meeting_is_off() -> None:
    job = a_meeting_job("removal")

    for part in compose_parts(default_folder(), job):
        assert "you are no longer invited to" in part
        assert "does not mean that the meeting is cancelled" in part
        assert part.count("cancel") == 1
        assert "The panel has three members now." in part
        # Where it is and how to join is not for a person who is not invited.
        assert "Library" not in part
        assert "meet.example.org/j/42" not in part


def test_a_cancellation_says_so_and_why() -> None:
    for part in compose_parts(default_folder(), a_meeting_job("cancellation")):
        assert "this meeting is cancelled" in part
        assert CANCELLED.reason in part
        assert "no longer invited" not in part
        assert "meet.example.org/j/42" not in part


def test_a_reminder_asks_no_question() -> None:
    for part in compose_parts(default_folder(), a_meeting_job("reminder")):
        assert "this is a reminder of" in part
        assert "nswer" not in part
        assert "https://meet.example.org/j/42" in part


@pytest.mark.parametrize("kind", KINDS)
def test_missing_texts_leave_no_traces(kind: str) -> None:
    job = a_meeting_job(
        kind, job={"name": "", "empid": ""}, location="", url="", description="", reason=""
    )

    text, html = compose_parts(default_folder(), job)

    assert text.startswith("Hello,\n")
    assert ">Hello, " in html
    now = text.rpartition("The meeting now:")[2]
    for label in ("Where", "Link", "Reason:", "Employee id"):
        assert label not in now
    assert "\n\n\n" not in text.replace("\n\n\n-----", "\n\n-----")
    assert not re.search(r"\bNone\b|\bundefined\b|href=\"\"", text + html)
