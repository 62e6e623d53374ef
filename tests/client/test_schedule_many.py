"""Any number of requests, in batches that the service accepts, with one answer for each."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import grpc
import pytest

from gcsched import errors
from gcsched.client import (
    DAILY,
    CallFailed,
    InvalidArgument,
    MailRequest,
    RefusedDuplicate,
    ResourceExhausted,
    ScheduledJob,
)
from gcsched.pb import task_pb2
from gcsched.rpc.status import status_of
from tests.support.client_calls import MethodCall
from tests.support.fake_scheduler import FakeAnswer, fake_scheduler

Answer = task_pb2.BatchScheduleMeetsResponse.Answer
MAX_BATCH_BYTES = 4 * 2**20


def mail(number: int = 0, *, name: str = "") -> MailRequest:
    email = f"{number}@example.org"
    return MailRequest(empid=f"E{number}", email=email, message="All hands", at=DAILY, name=name)


def build_reply(*ids: str) -> task_pb2.BatchScheduleMeetsResponse:
    replies = [task_pb2.MeetResponse(success=True, job_id=each) for each in ids]
    return task_pb2.BatchScheduleMeetsResponse(answers=[Answer(response=each) for each in replies])


def list_batches(requests: list[Any]) -> list[list[str]]:
    return [[request.empid for request in batch.requests] for batch in requests]


async def test_thousands_are_sent_in_batches_and_answered_in_order(run_method: MethodCall) -> None:
    ids = [str(number) for number in range(2_500)]
    replies = [build_reply(*ids[:1_000]), build_reply(*ids[1_000:2_000]), build_reply(*ids[2_000:])]
    requests = (mail(number) for number in range(2_500))

    async with fake_scheduler(BatchScheduleMeets=replies) as server:
        answers = await run_method(server.target, "schedule_many", requests=requests)

    assert answers == [ScheduledJob(job_id=each) for each in ids]
    assert [len(each) for each in list_batches(server.requests)] == [1_000, 1_000, 500]


async def test_a_batch_is_smaller_than_the_message_that_the_service_accepts(
    run_method: MethodCall,
) -> None:
    requests = [mail(number, name="x" * 60_000) for number in range(100)]
    ids = [str(number) for number in range(100)]
    replies = [build_reply(*ids[:69]), build_reply(*ids[69:])]

    async with fake_scheduler(BatchScheduleMeets=replies) as server:
        answers = await run_method(server.target, "schedule_many", requests=requests)

    assert answers == [ScheduledJob(job_id=each) for each in ids]
    assert all(batch.ByteSize() <= MAX_BATCH_BYTES for batch in server.requests)
    assert [len(each) for each in list_batches(server.requests)] == [69, 31]


async def test_each_request_has_its_own_answer(run_method: MethodCall) -> None:
    invalid = errors.InvalidRequest([errors.Violation("emailID", "must be one e-mail address")])
    overloaded = errors.Overloaded(9, retry_after=timedelta(seconds=3))
    duplicate = task_pb2.MeetResponse(outcome=task_pb2.MeetResponse.REFUSED_DUPLICATE)
    reply = task_pb2.BatchScheduleMeetsResponse(
        answers=[
            Answer(error=status_of(invalid)),
            build_reply("7").answers[0],
            Answer(response=duplicate),
            Answer(error=status_of(overloaded)),
        ]
    )

    async with fake_scheduler(BatchScheduleMeets=reply) as server:
        requests = [mail(number) for number in range(4)]
        first, second, third, fourth = await run_method(
            server.target, "schedule_many", requests=requests
        )

    assert (type(first), first.code) == (InvalidArgument, "INVALID_ARGUMENT")
    assert first.violations == (errors.Violation("emailID", "must be one e-mail address"),)
    assert second == ScheduledJob(job_id="7")
    assert (type(third), third.reason) == (RefusedDuplicate, "REFUSED_DUPLICATE")
    assert (type(fourth), fourth.retry_after) == (ResourceExhausted, timedelta(seconds=3))


async def test_a_batch_that_fails_is_the_last_one(run_method: MethodCall) -> None:
    replies: list[FakeAnswer] = [build_reply(*map(str, range(1_000))), grpc.StatusCode.INTERNAL]

    async with fake_scheduler(BatchScheduleMeets=replies) as server:
        requests = [mail(number) for number in range(3_000)]
        answers = await run_method(server.target, "schedule_many", requests=requests)

    assert len(server.requests) == 2
    assert answers[999] == ScheduledJob(job_id="999")
    assert len(answers) == 3_000
    assert {(type(each), each.code) for each in answers[1_000:]} == {(CallFailed, "INTERNAL")}


async def test_a_request_that_no_batch_can_have_is_not_sent(run_method: MethodCall) -> None:
    requests = [mail(0), mail(1, name="x" * MAX_BATCH_BYTES), mail(2)]

    async with fake_scheduler(BatchScheduleMeets=[build_reply("0"), build_reply("2")]) as server:
        first, second, third = await run_method(server.target, "schedule_many", requests=requests)

    assert (first, third) == (ScheduledJob(job_id="0"), ScheduledJob(job_id="2"))
    assert (type(second), second.reason) == (InvalidArgument, "REQUEST_TOO_LARGE")
    assert list_batches(server.requests) == [["E0"], ["E2"]]


async def test_a_reply_with_too_few_answers_is_an_error(run_method: MethodCall) -> None:
    async with fake_scheduler(BatchScheduleMeets=build_reply("1")) as server:
        answers = await run_method(server.target, "schedule_many", requests=[mail(1), mail(2)])

    assert {each.code for each in answers} == {"INTERNAL"}
    assert f"{server.target} answered 1 of 2 requests" in str(answers[0])


async def test_nothing_is_sent_if_there_is_nothing_or_one_cannot_be_sent(
    run_method: MethodCall,
) -> None:
    urgent: Any = 7
    wrong = replace(mail(2), urgent=urgent)
    async with fake_scheduler(BatchScheduleMeets=build_reply()) as server:
        assert await run_method(server.target, "schedule_many", requests=[]) == []
        with pytest.raises(TypeError, match="urgent is 7; give True or False"):
            await run_method(server.target, "schedule_many", requests=[mail(1), wrong])

    assert server.requests == []
