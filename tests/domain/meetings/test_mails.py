"""The jobs of mails about meetings: texts, keys, ids and limits."""

import dataclasses
from datetime import timedelta

import pytest
from msgspec.structs import replace

from gcsched.domain.job import Job, State
from gcsched.domain.meeting import Person
from gcsched.domain.meeting_mail import MeetingMail, Purpose, Role
from gcsched.domain.meetings.drafts import AttendeeDraft
from gcsched.domain.meetings.keys import fingerprint_draft, mail_key, reminder_key
from gcsched.domain.meetings.mails import MailMaker, MailRules
from gcsched.domain.meetings.meeting import Attendee, MailText, Meeting, MeetingTexts, Told, Word
from gcsched.domain.meetings.pointing import point
from tests.support.meetings.callers import make_times
from tests.support.meetings.scene import ADA, MOVED, NOW, START, Scene, a_draft

RULES = MailRules(
    message_id_domain="mail.example.net", sender_domains={"hr@example.com": "mail.example.com"}
)
TOLD = Attendee(
    email=ADA,
    name="Ada",
    empid="E1815",
    role=Role.OPTIONAL,
    word=Word(told=Told.SURE, revision=1),
    thread="first@mail.example.net",
)


def a_maker(meeting: Meeting | None = None, rules: MailRules = RULES) -> MailMaker:
    meeting = meeting or Scene().meeting
    revisions = {1: meeting.revision}
    return MailMaker(meeting=meeting, revisions=revisions, now=NOW, rules=rules)


def make(purpose: Purpose, attendee: Attendee = TOLD, **meeting: object) -> Job:
    return a_maker(replace(Scene().meeting, **meeting)).make(attendee, purpose)


@pytest.mark.parametrize(
    ("purpose", "template", "subject"),
    [
        (Purpose.INVITATION, "invitation", "Review"),
        (Purpose.UPDATE, "update", "Updated: Review"),
        (Purpose.CANCELLATION, "cancellation", "Cancelled: Review"),
    ],
)
def test_each_mail_has_a_template_and_a_subject(
    purpose: Purpose, template: str, subject: str
) -> None:
    job = make(purpose)
    assert (job.template, job.message) == (template, subject)

    texts = MeetingTexts(
        mails={purpose: MailText(template="own", subject="Mine")}, variables={"room": "5"}
    )
    job = make(purpose, texts=texts, labels={"team": "sales"})
    assert (job.template, job.message) == ("own", "Mine")
    assert (job.variables, job.labels) == ({"room": "5"}, {"team": "sales"})


def test_a_mail_is_the_attendee_s_and_the_client_s() -> None:
    job = make(Purpose.UPDATE, client="payroll")

    assert (job.email, job.name, job.empid, job.client) == (ADA, "Ada", "E1815", "payroll")
    assert job.meeting is not None
    assert (job.meeting.role, job.meeting.references) == (Role.OPTIONAL, "first@mail.example.net")
    assert (job.state, job.attempt, job.version) == (State.SCHEDULED, 0, 0)
    assert (job.request_id, job.dedup_until, job.has_own_expire_time) == ("", None, True)


def test_a_mail_has_the_message_id_domain_of_its_sender() -> None:
    assert make(Purpose.UPDATE).message_id.endswith("@mail.example.net")
    job = make(Purpose.UPDATE, sender="hr@example.com")
    assert job.message_id == f"{job.id}@mail.example.com"
    assert make(Purpose.UPDATE, sender="gone@example.com").sender == "gone@example.com"


def test_an_update_settles_for_as_long_as_the_operator_wants() -> None:
    maker = a_maker(rules=dataclasses.replace(RULES, settle=timedelta(seconds=30)))
    assert maker.make(TOLD, Purpose.UPDATE).due_time == NOW + timedelta(seconds=30)


def test_an_update_says_nothing_of_what_it_does_not_know() -> None:
    mail = make(Purpose.UPDATE, replace(TOLD, word=Word(told=Told.SURE, revision=9))).meeting

    assert mail is not None
    assert mail.earlier is None


def test_guests_are_in_invitations_and_updates_alone() -> None:
    guests = (Person(email=ADA), Person(email="bob@example.org"))
    meeting = Scene().meeting
    revision = replace(meeting.revision, guests=guests)
    maker = a_maker(replace(meeting, revision=revision))

    shown = {each: maker.describe(TOLD, each).revision.guests for each in Purpose}
    assert shown == {
        Purpose.INVITATION: guests,
        Purpose.UPDATE: guests,
        Purpose.CANCELLATION: (),
        Purpose.REMINDER: (),
    }
    earlier = maker.describe(TOLD, Purpose.UPDATE).earlier
    assert earlier is not None
    assert earlier.guests == ()


def test_a_key_is_made_of_what_the_mail_follows_and_not_of_what_it_shows() -> None:
    meeting = Scene().meeting
    key = mail_key(meeting, TOLD, Purpose.UPDATE)
    spelled = replace(TOLD, email=ADA.upper(), name="", role=Role.REQUIRED)
    raised = replace(meeting, revision=replace(meeting.revision, sequence=3, number=7))
    changed = replace(raised, content_revision=7)
    assert mail_key(changed, spelled, Purpose.UPDATE) == key

    later = replace(TOLD, word=replace(TOLD.word, revision=2))
    others = {
        key,
        mail_key(meeting, TOLD, Purpose.INVITATION),
        mail_key(meeting, TOLD, Purpose.CANCELLATION),
        mail_key(meeting, later, Purpose.CANCELLATION),
        mail_key(meeting, replace(TOLD, invited_count=2), Purpose.UPDATE),
        mail_key(meeting, replace(TOLD, email="bob@example.org"), Purpose.UPDATE),
        mail_key(meeting, later, Purpose.UPDATE),
        mail_key(Scene().meeting, TOLD, Purpose.UPDATE),
        reminder_key(meeting, TOLD, timedelta(minutes=5)),
        reminder_key(meeting, TOLD, timedelta(minutes=6)),
        reminder_key(meeting, replace(TOLD, invited_count=2), timedelta(minutes=5)),
        reminder_key(move(meeting), TOLD, timedelta(minutes=5)),
    }
    assert len(others) == 12


def move(meeting: Meeting) -> Meeting:
    return replace(meeting, revision=replace(meeting.revision, **make_times(MOVED)))


def test_the_keys_of_today_are_those_of_tomorrow() -> None:
    """A key that changed would send mails a second time after an upgrade."""
    meeting = Scene().meeting
    revision = replace(meeting.revision, meeting_id="0196f0c2a4f87d0e8a543b7f1c2d9e10")
    meeting = replace(meeting, revision=revision)

    # SHA-256 of "meeting v1" and of each part after its length in four octets.
    assert mail_key(meeting, TOLD, Purpose.UPDATE) == (
        "d2f12579229b6873567617d96cf46eec3af45acc56f06742bb761aab9244c885"
    )
    assert reminder_key(meeting, TOLD, timedelta(minutes=5)) == (
        "35ca606a6223bd25f5689421dfa59358381219d126dbd7b733d773c27d0beef1"
    )


def test_an_event_s_invitation_keeps_the_earlier_limit_of_its_caller() -> None:
    meeting = Scene().meeting
    limit = START - timedelta(hours=3)
    mail = MeetingMail(revision=meeting.revision)
    job = replace(make(Purpose.INVITATION), meeting=mail, expire_time=limit)
    moved = a_maker(move(meeting))

    assert point(moved, job, TOLD).expire_time == limit
    assert point(moved, replace(job, expire_time=START), TOLD).expire_time == MOVED


def test_a_job_without_a_meeting_cannot_be_pointed() -> None:
    with pytest.raises(ValueError, match="says nothing about a meeting"):
        point(a_maker(), replace(make(Purpose.UPDATE), meeting=None), TOLD)


def test_a_fingerprint_tells_requests_with_other_content_apart() -> None:
    draft = a_draft()
    others = [
        replace(draft, summary="Other"),
        replace(draft, attendees=(*draft.attendees, AttendeeDraft(email="eve@example.org"))),
        replace(draft, guests_see_each_other=True),
        replace(draft, reminders=()),
        replace(draft, invite_time=NOW),
        replace(draft, texts=MeetingTexts(variables={"a": "b"})),
        replace(draft, texts=MeetingTexts(mails={Purpose.UPDATE: MailText(subject="x")})),
        replace(draft, labels={"a": "b"}),
        replace(draft, sender="hr@example.com"),
        replace(draft, event=replace(draft.event, start="2027-01-05T10:00")),
        replace(draft, event=replace(draft.event, strict_time=True)),
    ]
    prints = {fingerprint_draft(each) for each in (draft, *others)}

    assert len(prints) == len(others) + 1
    assert fingerprint_draft(replace(draft, request_id="other")) == fingerprint_draft(draft)
