from datetime import timedelta

from gcsched.domain.access import Client, Scope
from gcsched.domain.actor import Actor
from gcsched.domain.commands import Cancel, Resolve, Retry
from gcsched.domain.job import State
from gcsched.domain.job_steps import add_step, find_reason
from gcsched.domain.step import MAX_STEPS, Step
from tests.support.builders import AN_ACTOR, NOW, a_job

LATER = NOW + timedelta(minutes=1)
PAYROLL = Client(name="payroll", scopes=frozenset({Scope.STEER}))


def test_a_step_says_who_did_what_and_when() -> None:
    job = a_job()
    actor = Actor(client=PAYROLL, via="grpc", method="CancelJob")

    cancelled = add_step(job, job.cancelled(LATER, reason="moved"), actor, reason="moved")

    assert cancelled.steps == (
        Step(
            time=LATER,
            client="payroll",
            via="grpc",
            method="CancelJob",
            previous_state="SCHEDULED",
            state="CANCELLED",
            reason="moved",
        ),
    )
    assert cancelled.state is State.CANCELLED


def test_without_control_of_access_the_name_says_so() -> None:
    job = a_job()

    [step] = add_step(job, job.cancelled(LATER, reason=""), AN_ACTOR).steps

    assert step.client == "anyone (access is not controlled)"


def test_the_latest_twenty_steps_are_kept() -> None:
    job = a_job()
    for minute in range(25):
        again = job.rescheduled(
            NOW, NOW + timedelta(minutes=minute), is_daily=False, expire_time=LATER
        )
        job = add_step(job, again, AN_ACTOR)

    assert MAX_STEPS == 20
    assert [step.time for step in job.steps] == [NOW + timedelta(minutes=n) for n in range(5, 25)]


def test_the_reason_is_the_one_that_the_caller_gave() -> None:
    day = timedelta(days=1)

    assert find_reason(Cancel(reason="moved")) == "moved"
    assert find_reason(Resolve(state=State.SENT, reason="seen")) == "seen"
    assert find_reason(Retry(keep_trying=day, window=day)) == ""
