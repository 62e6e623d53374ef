"""Change one job on a real store while others change it at the same moment."""

from datetime import UTC, datetime
from typing import Any

import pytest

from gcsched.adapters.mongo.codec import encode
from gcsched.adapters.mongo.connection import Mongo
from gcsched.adapters.mongo.suppressions import MongoSuppressions
from gcsched.domain.commands import Cancel, JobCommand, Resolve, Retry
from gcsched.domain.ids import etag_of
from gcsched.domain.job import State
from gcsched.errors import (
    EtagMismatch,
    IllegalTransition,
    UnknownJob,
)
from gcsched.usecases.management.change_job import ChangeJob
from tests.support.builders import (
    AN_ACTOR,
    NOON,
    NOW,
    a_job,
    a_suppression,
    an_attempt,
)
from tests.support.change_job import LATER, SOON, RecordingQueue, a_reschedule, the_job
from tests.support.clocks import DAY
from tests.support.log_events import Events, find_events
from tests.support.named_callers import an_actor_of
from tests.support.rows import Rows


async def test_an_unknown_job_is_not_found(change_job: ChangeJob) -> None:
    with pytest.raises(UnknownJob):
        await change_job.change("job-1", Cancel(), etag="", actor=AN_ACTOR, within=SOON)


COMMANDS: dict[str, JobCommand] = {
    "cancel": Cancel(),
    "retry": Retry(keep_trying=DAY, window=DAY),
    "resolve": Resolve(state=State.SENT, reason=""),
}


@pytest.mark.parametrize(
    "command", [pytest.param(each, id=name) for name, each in COMMANDS.items()]
)
@pytest.mark.parametrize("etag", ["", "old"])
@pytest.mark.parametrize(
    "row",
    [
        encode(a_job(client="payroll")),
        encode(a_job()),
        encode(a_job(client="payroll", state=State.CANCELLED)),
        encode(a_job(client="payroll")) | {"created": "yesterday"},
    ],
    ids=["waiting", "without a client", "satisfied", "unreadable"],
)
async def test_a_job_of_another_client_is_unknown_whatever_its_state(
    change_job: ChangeJob, jobs: Rows, row: dict[str, Any], command: JobCommand, etag: str
) -> None:
    jobs.insert_one(row)

    with pytest.raises(UnknownJob) as raised:
        await change_job.change("job-1", command, etag=etag, within=SOON, actor=an_actor_of("hr"))

    assert str(raised.value) == str(UnknownJob("job-1"))
    assert raised.value.metadata == {"job_id": "job-1"}
    assert list(jobs.find()) == [row]


@pytest.mark.parametrize("name", ["payroll", "reader"])
async def test_a_job_is_changed_by_its_client_and_with_the_scope_read(
    change_job: ChangeJob, jobs: Rows, name: str
) -> None:
    jobs.insert_one(encode(a_job(client="payroll")))

    changed = await change_job.change(
        "job-1", Cancel(), etag="", within=SOON, actor=an_actor_of(name)
    )

    assert (changed.state, changed.client) == (State.CANCELLED, "payroll")


async def test_the_returned_job_is_the_stored_one(change_job: ChangeJob, jobs: Rows) -> None:
    jobs.insert_one(encode(a_job()))

    answered = await change_job.change(
        "job-1", Cancel(reason="moved"), etag="", actor=AN_ACTOR, within=SOON
    )

    assert answered == the_job(jobs)
    assert (answered.state, answered.reason, answered.version) == ("CANCELLED", "moved", 1)


@pytest.mark.parametrize(
    "case",
    [
        (State.SCHEDULED, Cancel(), "job cancelled"),
        (State.SCHEDULED, a_reschedule(0), "job rescheduled"),
        (State.FAILED, Retry(keep_trying=DAY, window=DAY), "job retried"),
        (State.UNCERTAIN, Resolve(state=State.SENT, reason="seen"), "job resolved"),
    ],
    ids=lambda case: case[2],
)
async def test_a_change_is_logged_under_the_verb_of_its_command(
    change_job: ChangeJob, jobs: Rows, events: Events, case: tuple[State, JobCommand, str]
) -> None:
    state, command, event = case
    jobs.insert_one(encode(a_job(state=state)))

    await change_job.change("job-1", command, etag="", actor=AN_ACTOR, within=SOON)

    assert find_events(events, event) == [
        {
            "event": event,
            "log_level": "info",
            "job_id": "job-1",
            "previous_state": state.value,
            "client": AN_ACTOR.name,
        }
    ]


async def test_cancelling_again_changes_nothing(change_job: ChangeJob, jobs: Rows) -> None:
    jobs.insert_one(encode(a_job()))
    before = a_job()
    first = await change_job.change(
        "job-1", Cancel(reason="moved"), etag=etag_of(before), actor=AN_ACTOR, within=SOON
    )

    again = await change_job.change(
        "job-1", Cancel(reason="else"), etag=etag_of(before), actor=AN_ACTOR, within=SOON
    )

    assert again == first == the_job(jobs)


async def test_with_an_etag_only_the_job_that_was_read_is_changed(
    change_job: ChangeJob, jobs: Rows
) -> None:
    jobs.insert_one(encode(a_job(version=4)))

    with pytest.raises(EtagMismatch):
        await change_job.change(
            "job-1", Cancel(), etag=etag_of(a_job(version=3)), actor=AN_ACTOR, within=SOON
        )

    assert the_job(jobs) == a_job(version=4)
    changed = await change_job.change(
        "job-1", Cancel(), etag=etag_of(a_job(version=4)), actor=AN_ACTOR, within=SOON
    )
    assert changed.state is State.CANCELLED


async def test_an_etag_mismatch_is_reported_before_an_illegal_move(
    change_job: ChangeJob, jobs: Rows
) -> None:
    jobs.insert_one(encode(a_job(state=State.SENT, version=5)))

    with pytest.raises(EtagMismatch):
        await change_job.change(
            "job-1", Cancel(), etag=etag_of(a_job()), actor=AN_ACTOR, within=SOON
        )
    with pytest.raises(IllegalTransition):
        await change_job.change("job-1", Cancel(), etag="", actor=AN_ACTOR, within=SOON)


async def test_a_wake_up_is_scheduled_for_a_job_due_soon(
    change_job: ChangeJob, jobs: Rows, queue: RecordingQueue
) -> None:
    jobs.insert_one(encode(a_job(due_time=NOW + DAY)))
    soon = NOON + 90

    await change_job.change("job-1", a_reschedule(soon), etag="", actor=AN_ACTOR, within=SOON)

    assert queue.enqueued == [soon]


async def test_a_wake_up_is_scheduled_now_for_a_retried_job(
    change_job: ChangeJob, jobs: Rows, queue: RecordingQueue
) -> None:
    jobs.insert_one(encode(a_job(state=State.EXPIRED, attempts=(an_attempt(),))))

    retried = await change_job.change(
        "job-1", Retry(keep_trying=DAY, window=DAY), etag="", actor=AN_ACTOR, within=SOON
    )

    assert (retried.state, retried.due_time) == ("RETRYING", LATER)
    assert queue.enqueued == [NOON + 60]


async def test_no_wake_up_is_scheduled_for_a_job_of_the_daily_run(
    change_job: ChangeJob, jobs: Rows, queue: RecordingQueue
) -> None:
    jobs.insert_one(encode(a_job()))

    queued = await change_job.change("job-1", a_reschedule(0), etag="", actor=AN_ACTOR, within=SOON)

    assert (queued.state, queued.due_time) == ("QUEUED", datetime(2026, 7, 2, 10, tzinfo=UTC))
    assert queue.enqueued == []


async def test_a_suppressed_job_can_be_retried_once_its_suppression_is_removed(
    change_job: ChangeJob, mongo: Mongo, jobs: Rows
) -> None:
    jobs.insert_one(encode(a_job(state=State.SUPPRESSED)))
    suppressions = MongoSuppressions(mongo=mongo)
    # Far: the server deletes expired documents by its own clock.
    await suppressions.add([a_suppression(expire_time=LATER + 36_500 * DAY)])
    retry = Retry(keep_trying=DAY, window=DAY)

    with pytest.raises(IllegalTransition):
        await change_job.change("job-1", retry, etag="", actor=AN_ACTOR, within=SOON)
    await suppressions.add([a_suppression(expire_time=LATER)])
    retried = await change_job.change("job-1", retry, etag="", actor=AN_ACTOR, within=SOON)

    assert retried.state is State.RETRYING
