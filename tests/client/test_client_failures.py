"""The errors of the client when a service is unavailable, refuses, or answers oddly."""

import asyncio
import socket
import time
from copy import copy
from datetime import timedelta

import grpc
import pytest

from gcsched import errors
from gcsched.client import (
    TIMEOUT_SECONDS,
    Aborted,
    AlreadyExists,
    CallFailed,
    DeadlineExceeded,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    ResourceExhausted,
    ScheduledJob,
    Unauthenticated,
    Unavailable,
    Violation,
)
from gcsched.pb import task_pb2
from tests.support.builders import NOW
from tests.support.client_calls import REQUEST, MethodCall, ScheduleCall
from tests.support.fake_scheduler import ACCEPTED, ErrorAnswer, fake_scheduler
from tests.support.ports import free_port


async def test_a_missing_service_is_unavailable_and_names_its_target(
    schedule_meet: ScheduleCall,
) -> None:
    target = f"127.0.0.1:{free_port()}"
    begun = time.monotonic()

    with pytest.raises(Unavailable, match=f"{target} is unavailable") as caught:
        await schedule_meet(target, REQUEST)

    assert time.monotonic() - begun < TIMEOUT_SECONDS
    assert caught.value.reason == ""


async def test_a_silent_service_ends_in_a_deadline_exceeded(schedule_meet: ScheduleCall) -> None:
    with socket.create_server(("127.0.0.1", 0)) as accepts_and_never_answers:
        target = f"127.0.0.1:{accepts_and_never_answers.getsockname()[1]}"
        with pytest.raises(DeadlineExceeded, match=f"{target} did not answer within 0.3 s"):
            await schedule_meet(target, REQUEST, timeout=0.3)


async def test_a_call_that_a_stopping_server_cancelled_is_retried(
    schedule_meet: ScheduleCall,
) -> None:
    async with fake_scheduler(ScheduleMeet=[grpc.StatusCode.CANCELLED, ACCEPTED]) as server:
        job = await schedule_meet(server.target, REQUEST)

    assert job == ScheduledJob(job_id="7")
    assert len(server.requests) == 2


async def test_unavailable_is_retried_and_an_internal_error_is_not(
    schedule_meet: ScheduleCall,
) -> None:
    unavailable = grpc.StatusCode.UNAVAILABLE
    async with (
        fake_scheduler(ScheduleMeet=[*[unavailable] * 4, ACCEPTED]) as recovers,
        fake_scheduler(ScheduleMeet=unavailable) as stays_away,
        fake_scheduler(ScheduleMeet=grpc.StatusCode.INTERNAL) as breaks,
    ):
        # At the same time, because the retries wait for seconds.
        job, away, broken = await asyncio.gather(
            *(schedule_meet(each.target, REQUEST) for each in (recovers, stays_away, breaks)),
            return_exceptions=True,
        )

    assert job == ScheduledJob(job_id="7")
    assert isinstance(away, Unavailable)
    assert [len(each.requests) for each in (recovers, stays_away, breaks)] == [5, 5, 1]
    assert all(request == recovers.requests[0] for request in recovers.requests)
    assert type(broken) is CallFailed
    assert broken.code == "INTERNAL"
    assert "INTERNAL: as the test says" in str(broken)


@pytest.mark.parametrize(
    ("error", "kind", "reason"),
    [
        (errors.Overloaded(9, retry_after=timedelta(seconds=3)), ResourceExhausted, "OVERLOADED"),
        (errors.Stopping(retry_after=timedelta(seconds=3)), Unavailable, "STOPPING"),
    ],
)
async def test_an_overloaded_service_names_the_wait(
    schedule_meet: ScheduleCall, error: errors.GcschedError, kind: type[CallFailed], reason: str
) -> None:
    async with fake_scheduler(ScheduleMeet=error) as server:
        with pytest.raises(kind, match="call again") as caught:
            await schedule_meet(server.target, REQUEST)

    assert caught.value.reason == reason
    assert caught.value.retry_after == timedelta(seconds=3)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (errors.UnknownJob("7"), NotFound),
        (errors.EtagMismatch("7"), Aborted),
        (errors.DuplicateJob("7", "8"), AlreadyExists),
        (
            errors.IllegalTransition("7", "SENT", "CANCELLED", state_time=NOW, why=""),
            FailedPrecondition,
        ),
        (errors.ScopeMissing("hr", "GetStatus", ["read"]), PermissionDenied),
        (errors.Unauthenticated("no token"), Unauthenticated),
    ],
)
async def test_an_error_that_callers_treat_differently_has_a_class(
    schedule_meet: ScheduleCall, error: errors.GcschedError, kind: type[CallFailed]
) -> None:
    async with fake_scheduler(ScheduleMeet=error) as server:
        with pytest.raises(kind) as caught:
            await schedule_meet(server.target, REQUEST)

    assert type(caught.value) is kind
    assert caught.value.code == kind("made in a test").code
    assert caught.value.metadata == dict(error.metadata)


async def test_an_answer_without_success_is_a_failure(schedule_meet: ScheduleCall) -> None:
    async with fake_scheduler(
        ScheduleMeet=task_pb2.MeetResponse(success=False, job_id="7")
    ) as server:
        with pytest.raises(CallFailed, match="refused the request"):
            await schedule_meet(server.target, REQUEST)


async def test_a_reason_comes_with_its_metadata(schedule_meet: ScheduleCall) -> None:
    refusal = ErrorAnswer(
        code=grpc.StatusCode.ALREADY_EXISTS, reason="REQUEST_ID_REUSED", metadata=(("job_id", "7"),)
    )
    async with fake_scheduler(ScheduleMeet=refusal) as server:
        with pytest.raises(CallFailed) as caught:
            await schedule_meet(server.target, REQUEST)

    assert caught.value.reason == "REQUEST_ID_REUSED"
    assert caught.value.metadata == {"job_id": "7"}


async def test_a_second_mail_in_a_window_is_refused_with_the_reason(
    schedule_meet: ScheduleCall,
) -> None:
    refused = task_pb2.MeetResponse(outcome=task_pb2.MeetResponse.REFUSED_DUPLICATE)
    async with fake_scheduler(ScheduleMeet=refused) as server:
        with pytest.raises(CallFailed, match="one mail per employee") as caught:
            await schedule_meet(server.target, REQUEST)

    assert caught.value.reason == "REFUSED_DUPLICATE"


async def test_a_validation_says_that_the_window_is_used(run_method: MethodCall) -> None:
    refused = task_pb2.MeetResponse(
        outcome=task_pb2.MeetResponse.REFUSED_DUPLICATE,
        preview=task_pb2.Preview(duplicate_of="8"),
    )
    async with fake_scheduler(ScheduleMeet=refused) as server:
        found = await run_method(server.target, "validate", **REQUEST)

    assert (found.success, found.outcome) == (False, "REFUSED_DUPLICATE")
    assert found.preview.duplicate_of == "8"


async def test_a_validation_by_an_older_service_names_the_job_that_it_stored(
    run_method: MethodCall,
) -> None:
    async with fake_scheduler(ScheduleMeet=ACCEPTED) as server:
        with pytest.raises(CallFailed, match="older than validate_only and accepted job 7"):
            await run_method(server.target, "validate", **REQUEST)


async def test_foreign_status_details_are_ignored(schedule_meet: ScheduleCall) -> None:
    refusal = ErrorAnswer(
        code=grpc.StatusCode.PERMISSION_DENIED,
        trailing=(("grpc-status-details-bin", b"\xff\xff"),),
    )
    async with fake_scheduler(ScheduleMeet=refusal) as server:
        with pytest.raises(CallFailed, match="PERMISSION_DENIED: as the test") as caught:
            await schedule_meet(server.target, REQUEST)

    assert caught.value.reason == ""


def test_an_error_can_be_pickled() -> None:
    error = InvalidArgument("no", reason="INVALID_REQUEST", violations=(Violation("empid", "no"),))

    again = copy(error)  # by the protocol that pickle uses

    assert type(again) is InvalidArgument
    assert (str(again), again.violations) == ("no", error.violations)
