"""A caller's program, for type checkers: what each method of the clients takes and returns.

Imports nothing of the tests. It is checked, never run.
"""

from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import assert_type

from gcsched.client import (
    DAILY,
    AsyncClient,
    Attendee,
    AuditEntry,
    CalendarFile,
    CallFailed,
    Client,
    Effect,
    ForgottenRecipient,
    Health,
    Job,
    JobCount,
    JobFilter,
    MailOptions,
    MailRequest,
    MailText,
    Meeting,
    MeetingFilter,
    MeetingOptions,
    MeetingOrder,
    MeetingState,
    MeetingTexts,
    Order,
    Pause,
    Person,
    Preview,
    Recipient,
    Reminder,
    Role,
    ScheduledJob,
    State,
    StatusReport,
    Suppression,
    Template,
    Tls,
    Validation,
    View,
)

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
LUNCH: MailOptions = {"name": "Ada", "labels": {"team": "hr"}, "not_after": NOON, "urgent": True}
REVIEW: MeetingOptions = {
    "duration": timedelta(minutes=30),
    "organizer": Person(email="eve@example.org"),
    "reminders": [Reminder(before=timedelta(days=1))],
    "texts": MeetingTexts(update=MailText(subject="Moved")),
}
SOON: MeetingFilter = {"start_time_from": NOON, "organizer": "eve@example.org"}
FAILED: JobFilter = {"state": State.FAILED, "due_time_before": NOON}


def call_blocking(client: Client) -> None:
    assert_type(
        client.schedule(empid="E1", email="a@example.org", message="Hi", at=DAILY, **LUNCH),
        ScheduledJob,
    )
    assert_type(
        client.validate(empid="E1", email="a@example.org", message="Hi", at=NOON), Validation
    )
    wanted = MailRequest(empid="E1", email="a@example.org", message="Hi", at=1767614400)
    for answer in client.schedule_many([wanted], timeout=30):
        assert_type(answer, ScheduledJob | CallFailed)
    assert_type(client.get_job("7", timeout=1), Job)
    assert_type(client.list_jobs(**FAILED, order=Order.DUE_TIME_ASC, view="FULL"), Iterator[Job])
    assert_type(client.count_jobs(**FAILED), JobCount)
    assert_type(client.reschedule("7", at=DAILY, etag="e"), Job)
    assert_type(client.retry("7"), Job)
    assert_type(client.resolve("7", state=State.SENT, reason="seen"), Job)
    assert_type(client.cancel_jobs(all=True, reason="why"), int)
    assert_type(client.retry_jobs(**FAILED, validate_only=True), int)
    assert_type(client.status(), StatusReport)
    assert_type(client.watch_health(), Iterator[Health])
    assert_type(client.pause(by="ada", reason="why"), Pause)
    assert_type(client.resume(), Pause | None)
    assert_type(client.list_audit(subject="E1"), Iterator[AuditEntry])


def call_about_meetings(client: Client) -> None:
    ada = Attendee(email="a@example.org", role=Role.OPTIONAL)
    meeting = client.create_meeting(
        summary="Review",
        start="2030-01-05T09:00",
        time_zone="Europe/Berlin",
        attendees=[ada],
        **REVIEW,
    )
    assert_type(meeting, Meeting)
    assert_type(client.get_meeting("M"), Meeting)
    assert_type(client.list_meetings(**SOON, order=MeetingOrder.START_TIME_ASC), Iterator[Meeting])
    assert_type(
        client.update_meeting("M", etag="e", start=datetime.fromisoformat("2030-01-05")), Meeting
    )
    assert_type(client.update_meeting("M", location=None, end=None), Meeting)
    assert_type(client.add_attendees("M", meeting.attendees, tell_others=True), Meeting)
    assert_type(client.remove_attendees("M", [ada.email], reason="left"), Meeting)
    assert_type(client.cancel_meeting("M", reason="off", validate_only=True), Meeting)
    assert_type(client.meeting_calendar("M", "a@example.org"), CalendarFile)
    assert_type(meeting.state == MeetingState.CANCELLED, bool)
    assert_type(meeting.effects, tuple[Effect, ...])
    assert_type(meeting.organizer, Person | None)
    assert_type(meeting.reminders[0].before, timedelta)


def read_results(client: Client) -> None:
    job = client.cancel("7", reason="moved")
    assert_type(job.state == State.CANCELLED, bool)
    assert_type(job.due_time, datetime | None)
    assert_type(job.attempts[0].kind, str)
    assert_type(job.variables, Mapping[str, str])
    report = client.status()
    assert_type(report.counts.get(State.SENT, 0), int)
    assert_type(report.oldest_due_lateness, timedelta | None)


async def call_async() -> None:
    tls = Tls(ca_file="ca.pem")
    async with AsyncClient(credentials=tls, token_file="token", environment={}) as client:
        assert_type(
            await client.schedule(empid="E1", email="a@example.org", message="Hi", at=NOON),
            ScheduledJob,
        )
        assert_type(client.list_suppressions(), AsyncIterator[Suppression])
        assert_type(await client.get_suppression("a@example.org"), Suppression)
        assert_type(await client.get_recipient("E1"), Recipient)
        assert_type(await client.forget_recipient("E1"), ForgottenRecipient)
        assert_type([each async for each in client.list_templates()], list[Template])
        assert_type(await client.preview_template("doc", message="Hi"), Preview)
        assert_type(client.list_jobs(view=View.FULL), AsyncIterator[Job])
        assert_type(client.list_meetings(client="hr"), AsyncIterator[Meeting])
        assert_type(await client.cancel_meeting("M"), Meeting)
        async for health in client.watch_health():
            assert_type(health, Health)
