"""The mails about a meeting by their purpose, as the standard library reads them."""

import re
from email.message import EmailMessage
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec import structs

from gcsched.adapters.mail.composer import Composer
from gcsched.domain.meeting import Person
from gcsched.domain.meeting_mail import Role
from tests.support.calendars.exchange import problems_of
from tests.support.invitations import (
    INTERVIEW,
    compose_by_rendering,
    parse_mail,
    read_calendar,
    unfold,
)
from tests.support.mail_trees import (
    ALTERNATIVE,
    LINES,
    MIXED,
    PLAIN,
    TEXTS,
    a_composer,
    find_copies,
    on_the_wire,
    outline,
    read_calendar_part,
)
from tests.support.meeting_mails import (
    CANCELLED,
    FIRST_ID,
    KINDS,
    MAILS,
    MOVED,
    WITH_CALENDAR,
    a_meeting_job,
)

METHODS = {
    "invitation": "REQUEST",
    "update": "REQUEST",
    "removal": "CANCEL",
    "cancellation": "CANCEL",
}
GUESTS = (
    Person("grace@example.org", "Grace Hopper"),
    Person("ada@example.org", "Ada Lovelace"),
    Person("edsger@example.org"),
)


@pytest.fixture(scope="module")
def composer() -> Composer:
    return a_composer()


def compose(composer: Composer, kind: str, **values: Any) -> EmailMessage:
    return parse_mail(composer.compose(a_meeting_job(kind, **values)).content)


@pytest.mark.parametrize("has_file", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_all_but_a_reminder_have_a_calendar_part(*, kind: str, has_file: bool) -> None:
    message = compose(a_composer(has_invite_file=has_file), kind)

    with_calendar = MIXED if has_file else ALTERNATIVE
    assert outline(message) == (with_calendar if kind in WITH_CALENDAR else PLAIN)
    assert not [defect for part in message.walk() for defect in part.defects]


@pytest.mark.parametrize("kind", WITH_CALENDAR)
def test_the_method_is_the_same_in_the_part_and_in_the_file(composer: Composer, kind: str) -> None:
    content = composer.compose(a_meeting_job(kind)).content

    calendar, file = find_copies(content)
    octets = read_calendar_part(calendar)
    assert calendar.get_param("method") == METHODS[kind]
    assert re.findall(rb"METHOD:(\w+)", octets) == [METHODS[kind].encode()]
    assert file.get_param("method") is None
    assert (file.get_filename(), read_calendar_part(file)) == ("invite.ics", octets)
    assert problems_of(octets) == []


@pytest.mark.parametrize("kind", KINDS)
def test_only_a_reminder_says_that_no_person_wrote_it(composer: Composer, kind: str) -> None:
    expected = "auto-generated" if kind == "reminder" else None
    assert compose(composer, kind)["Auto-Submitted"] == expected


@pytest.mark.parametrize("reply_to", ["", "team@example.org", "zoë@example.org"])
@pytest.mark.parametrize("kind", KINDS)
def test_later_mails_refer_to_the_first_one(composer: Composer, kind: str, reply_to: str) -> None:
    mail = composer.compose(a_meeting_job(kind, job={"reply_to": reply_to}))

    for each in filter(None, (mail, mail.ascii_fallback)):
        message = parse_mail(on_the_wire(each))
        assert message["References"] == (None if kind == "invitation" else f"<{FIRST_ID}>")
        assert message["Date"] == "Mon, 04 Jan 2027 08:00:01 +0000"
        assert message["Message-ID"] == f"<{a_meeting_job(kind).message_id}>"
        assert message["Reply-To"] == (reply_to or None) or each is mail.ascii_fallback
    assert b"\r\n\r\n" not in mail.content.partition(b"References")[2][:80]


def test_a_reference_cannot_add_a_header(composer: Composer) -> None:
    for references in ("a@b\r\nBcc: eve@evil.test", "a@b> <c@d", "é@b", "a b@c"):
        with pytest.raises(ValueError, match="References"):
            compose(composer, "update", mail={"references": references})


def test_a_mail_without_a_meeting_has_the_octets_it_had(composer: Composer) -> None:
    job = a_meeting_job("reminder", job={"template": "doc"})

    plain = composer.compose(structs.replace(job, meeting=None)).content

    reminder = composer.compose(job).content
    assert reminder.replace(f"References: <{FIRST_ID}>\r\n".encode(), b"") == plain


def test_the_calendar_is_that_of_the_purpose(composer: Composer) -> None:
    files = {
        kind: unfold(read_calendar(composer.compose(a_meeting_job(kind)).content))
        for kind in WITH_CALENDAR
    }

    assert {f"UID:{INTERVIEW.uid}" in lines for lines in files.values()} == {True}
    sequences = {kind: [x for x in lines if x.startswith("SEQ")] for kind, lines in files.items()}
    assert sequences == {
        "invitation": ["SEQUENCE:0"],
        "update": ["SEQUENCE:1"],
        "removal": ["SEQUENCE:2"],
        "cancellation": ["SEQUENCE:2"],
    }
    assert "DTSTART:20270106T130000Z" in files["update"]
    assert "STATUS:CANCELLED" in files["cancellation"]
    assert not [line for line in files["removal"] if line.startswith("STATUS")]


@pytest.mark.parametrize("kind", ["invitation", "update"])
def test_the_role_and_the_guests_are_in_the_calendar(composer: Composer, kind: str) -> None:
    job = a_meeting_job(kind, mail={"role": Role.OPTIONAL}, guests=GUESTS)

    lines = unfold(read_calendar(composer.compose(job).content))

    ada, *others = [line for line in lines if line.startswith("ATTENDEE")]
    assert "ROLE=OPT-PARTICIPANT" in ada
    assert ada.endswith(":mailto:ada@example.org")
    assert [line.rpartition(":")[2] for line in others] == [
        "grace@example.org",
        "edsger@example.org",
    ]


@pytest.mark.parametrize("kind", ["reminder", "removal", "cancellation"])
def test_other_mails_never_name_the_guests(composer: Composer, kind: str) -> None:
    content = composer.compose(a_meeting_job(kind, guests=GUESTS)).content

    message = parse_mail(content)
    parts = [part.get_payload(decode=True) for part in message.walk() if not part.is_multipart()]
    octets = b"".join(part for part in parts if isinstance(part, bytes))
    assert not re.search(b"grace|edsger", octets + content, re.IGNORECASE)


@pytest.mark.parametrize("kind", KINDS)
def test_each_built_in_template_is_filled_in_and_needs_no_encoding(
    composer: Composer, kind: str
) -> None:
    job = a_meeting_job(kind)
    mail = composer.compose(job)

    parts = [part for part in parse_mail(mail.content).walk() if not part.is_multipart()]
    assert [part["content-transfer-encoding"] for part in parts[:2]] == ["7bit", "7bit"]
    assert mail.is_canonical
    assert composer.templates.find_prerenderer(job.template) is not None
    assert mail == compose_by_rendering(composer, job) == a_composer().compose(job)


HOSTILE = st.one_of(LINES, st.sampled_from(["", "<s>", "--=_mixed", ".", "\ue0003\ue001"]))
ONE_LINE = HOSTILE.map(lambda text: "".join(filter(str.isprintable, text)))
CHANGED = st.fixed_dictionaries(
    {},
    optional={
        "summary": ONE_LINE.map(lambda text: text.strip()[:255] or "Stand-up"),
        "location": HOSTILE.map(lambda text: text[:255]),
        "url": st.sampled_from(["", "https://example.org/?a=1&b=2", f"https://a.b/{'x' * 900}"]),
        "description": TEXTS,
        "reason": HOSTILE,
        "guests": st.lists(
            st.builds(Person, st.sampled_from([each.email for each in GUESTS]), HOSTILE),
            max_size=3,
            unique_by=lambda guest: guest.email,
        ).map(tuple),
    },
)


@settings(deadline=None, max_examples=150)
@given(kind=st.sampled_from(KINDS), meeting=CHANGED, earlier=CHANGED, name=ONE_LINE)
@example("update", {"location": "\r\nBcc: e@x.y"}, {"location": ".", "summary": "<&>"}, "=_")
@example("cancellation", {"reason": "--=_mixed\r\n.\r\n..", "summary": "é"}, {}, "")
@example("update", {"description": ".a\n.b"}, {"description": "é\u2028\x85" * 400}, "x" * 256)
def test_any_text_is_put_in_as_rendering_does_and_breaks_no_mail(
    composer: Composer, kind: str, meeting: dict[str, Any], earlier: dict[str, Any], name: str
) -> None:
    before = structs.replace(INTERVIEW, **earlier) if kind == "update" else None
    job = a_meeting_job(kind, job={"name": name}, mail={"earlier": before}, **meeting)

    mail = composer.compose(job)

    rendered = compose_by_rendering(composer, job)
    assert mail == rendered
    assert on_the_wire(mail) == on_the_wire(rendered)
    message = parse_mail(mail.content)
    assert outline(message) == (MIXED if kind in WITH_CALENDAR else PLAIN)
    assert not {"Bcc", "Cc"} & set(message)
    if kind in WITH_CALENDAR:
        calendar, file = map(read_calendar_part, find_copies(mail.content))
        assert calendar == file
        assert problems_of(calendar) == []
    lines = mail.content.split(b"\r\n")
    assert max(map(len, lines)) <= 998
    assert not any(b"\r" in line or b"\n" in line for line in lines)
    assert mail.content.isascii()


def test_any_template_can_be_used_for_any_purpose(composer: Composer) -> None:
    for kind in KINDS:
        for template in ("doc", "invitation", "update", "cancellation", "reminder"):
            job = a_meeting_job(kind, job={"template": template})

            assert composer.compose(job) == compose_by_rendering(composer, job)


def test_a_preview_has_the_calendar_of_the_mail(composer: Composer) -> None:
    for kind in KINDS:
        job = a_meeting_job(kind)
        preview, mail = composer.draft(job), composer.compose(job)

        assert preview.size == len(mail.content)
        calendar = read_calendar(mail.content).decode() if kind in WITH_CALENDAR else ""
        assert preview.calendar == calendar


def test_the_mails_of_the_tests_correct_each_other() -> None:
    assert [MAILS[kind].revision.sequence for kind in KINDS] == [0, 1, 1, 2, 2]
    assert INTERVIEW.stamp < MOVED.stamp < CANCELLED.stamp
