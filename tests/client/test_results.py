"""Results have the words and the values of the contract, and know what is newer than they are."""

from copy import deepcopy
from dataclasses import MISSING, FrozenInstanceError, asdict, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gcsched import client
from gcsched.client import Access, Attempt, Job, Lateness, Pause, Relay, State, Step, Store
from gcsched.client.calls.jobs import count_jobs
from gcsched.client.results.reading import read_message
from gcsched.pb import task_pb2

REPORT = task_pb2.StatusReport
RESULTS = [
    (client.Job, task_pb2.Job),
    (client.Attempt, task_pb2.Attempt),
    (client.Step, task_pb2.Step),
    (client.Preview, task_pb2.Preview),
    (client.JobCount, task_pb2.CountJobsResponse),
    (client.Validation, task_pb2.MeetResponse),
    (client.Suppression, task_pb2.Suppression),
    (client.Recipient, task_pb2.Recipient),
    (client.ForgottenRecipient, task_pb2.ForgetRecipientResponse),
    (client.Template, task_pb2.Template),
    (client.AuditEntry, task_pb2.AuditEntry),
    (client.Meeting, task_pb2.Meeting),
    (client.Attendee, task_pb2.Attendee),
    (client.Reminder, task_pb2.Reminder),
    (client.MeetingTexts, task_pb2.MeetingTexts),
    (client.MailText, task_pb2.MeetingTexts.Mail),
    (client.Effect, task_pb2.Effect),
    (client.MeetingStep, task_pb2.MeetingStep),
    (client.CalendarFile, task_pb2.CalendarFile),
    (client.Person, task_pb2.Person),
    (client.Pause, task_pb2.Pause),
    (client.StatusReport, REPORT),
    (client.Lateness, REPORT.Lateness),
    (client.Relay, REPORT.Relay),
    (client.Store, REPORT.Store),
    (client.Access, REPORT.Access),
]
ENUMS = [
    (client.State, task_pb2.Job.State),
    (client.Outcome, task_pb2.MeetResponse.Outcome),
    (client.Priority, task_pb2.Priority),
    (client.View, task_pb2.Job.View),
    (client.Order, task_pb2.ListJobsRequest.Order),
    (client.AttemptKind, task_pb2.Attempt.Kind),
    (client.RelayState, REPORT.Relay.State),
    (client.AuditOutcome, task_pb2.AuditEntry.Outcome),
    (client.Purpose, task_pb2.Job.Purpose),
    (client.MeetingState, task_pb2.Meeting.State),
    (client.View, task_pb2.Meeting.View),
    (client.MeetingOrder, task_pb2.ListMeetingsRequest.Order),
    (client.Role, task_pb2.Attendee.Role),
    (client.Told, task_pb2.Attendee.Told),
    (client.What, task_pb2.Effect.What),
]
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
UNKNOWN_STATE = b"\x10\x63"  # field 2, Job.state: 99


@pytest.mark.parametrize(("result", "message"), RESULTS)
def test_a_result_has_each_field_of_the_contract(result: Any, message: Any) -> None:
    names = {each.name for each in fields(result)}

    assert names ^ set(message.DESCRIPTOR.fields_by_name) <= (
        {"job_id", "meeting_id"} if result is client.Validation else set()
    )


@pytest.mark.parametrize(("result", "message"), RESULTS)
def test_the_defaults_of_a_result_are_those_of_an_empty_message(result: Any, message: Any) -> None:
    empty = message()
    required = {
        each.name: getattr(empty, each.name)
        for each in fields(result)
        if each.default is MISSING and each.default_factory is MISSING
    }

    if result is client.Reminder:  # always has a time
        required["before"] = timedelta()
    read = read_message(result, empty)

    if result is client.Validation:  # has always a preview, as `validate` checks
        read = replace(read, preview=client.Preview())
    assert read == result(**required)


@pytest.mark.parametrize(("names", "enum"), ENUMS)
def test_an_enum_has_each_value_of_the_contract(names: Any, enum: Any) -> None:
    known = [name for name, _ in enum.items() if not name.endswith("UNSPECIFIED")]

    assert [each.value for each in names] == known


def test_a_job_is_read_with_all_that_it_has() -> None:
    message = task_pb2.Job(
        job_id="7",
        state=task_pb2.Job.FAILED,
        variables={"room": "4.2"},
        priority=task_pb2.URGENT,
        due_time=NOON,
        attempts=[task_pb2.Attempt(kind=task_pb2.Attempt.POLICY, end_time=NOON, code=550)],
        steps=[task_pb2.Step(state=task_pb2.Job.FAILED, method="ResolveJob")],
    )

    assert read_message(Job, message) == Job(
        job_id="7",
        state="FAILED",
        variables={"room": "4.2"},
        priority="URGENT",
        due_time=NOON,
        attempts=(Attempt(kind="POLICY", end_time=NOON, code=550),),
        steps=(Step(state="FAILED", method="ResolveJob"),),
    )


def test_a_report_is_read_with_all_its_parts() -> None:
    message = REPORT(
        counts=[REPORT.StateCount(state=task_pb2.Job.SENT, count=3)],
        oldest_due_lateness=timedelta(seconds=1.5),
        lateness=REPORT.Lateness(mails=1, p50=timedelta(seconds=2)),
        relays=[REPORT.Relay(name="a:25", state=REPORT.Relay.DOWN, rate=0.5)],
        pause=task_pb2.Pause(by="ada"),
        problems=["index is missing"],
        stores=[REPORT.Store(name="redis", state_time=NOON)],
        access=REPORT.Access(is_controlled=True, clients=2),
    )

    assert read_message(client.StatusReport, message) == client.StatusReport(
        counts={"SENT": 3},
        oldest_due_lateness=timedelta(seconds=1.5),
        lateness=Lateness(mails=1, p50=timedelta(seconds=2)),
        relays=(Relay(name="a:25", state="DOWN", rate=0.5),),
        pause=Pause(by="ada"),
        problems=("index is missing",),
        stores=(Store(name="redis", state_time=NOON),),
        access=Access(is_controlled=True, clients=2),
    )


def test_what_is_absent_is_none_and_not_false() -> None:
    kind, message = client.ForgottenRecipient, task_pb2.ForgetRecipientResponse

    assert read_message(kind, message()).details_erased is None
    assert read_message(kind, message(details_erased=False)).details_erased is False


def test_a_state_is_a_string_that_equals_its_name() -> None:
    job = read_message(Job, task_pb2.Job(state=task_pb2.Job.SENT))

    assert job.state == State.SENT == "SENT"
    assert job.state in {State.SENT, State.FAILED}
    assert type(job.state) is str


def test_a_value_that_is_newer_stays_a_string_and_can_be_asked_for() -> None:
    newer = task_pb2.Job.FromString(UNKNOWN_STATE)
    counted = REPORT(counts=[REPORT.StateCount(count=2)])
    counted.counts[0].MergeFromString(b"\x08\x63")

    job = read_message(Job, newer)

    assert job.state == "99"
    assert read_message(client.StatusReport, counted).counts == {"99": 2}
    assert count_jobs(state=job.state).request.SerializeToString() == b"\x0a\x02\x08\x63"


def test_a_result_is_frozen_and_can_be_compared_kept_and_sent() -> None:
    job: Any = Job(job_id="7", labels={"team": "hr"}, due_time=NOON, attempts=(Attempt(code=250),))

    with pytest.raises(FrozenInstanceError):
        job.state = "SENT"
    assert {job: 1}[Job(**{each.name: getattr(job, each.name) for each in fields(job)})] == 1
    assert deepcopy(job) == job  # by the protocol that pickle uses
    assert asdict(job)["attempts"][0]["code"] == 250


def test_each_result_and_each_name_of_the_contract_is_public() -> None:
    assert {each.__name__ for each, _ in [*RESULTS, *ENUMS]} <= set(client.__all__)
    assert all(hasattr(client, name) for name in client.__all__)
