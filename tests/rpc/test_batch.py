"""Batches of requests in one call, each answered by itself."""

import asyncio
import time
from collections.abc import Iterable
from typing import Any

import grpc
import pytest

from gcsched.pb import task_pb2
from tests.support.in_process_app import RunningApp, make_settings, running_app
from tests.support.relay.server import Relay
from tests.support.service_process import Stub, a_meet, scheduler_stub
from tests.support.status_details import error_reason, status_of, violations
from tests.support.wait import until

Response = task_pb2.MeetResponse
Answers = list[task_pb2.BatchScheduleMeetsResponse.Answer]
HOUR = 3600


async def batch(stub: Stub, requests: Iterable[task_pb2.MeetRequest]) -> Answers:
    reply = await stub.BatchScheduleMeets(task_pb2.BatchScheduleMeetsRequest(requests=requests))
    return list(reply.answers)


async def ids(app: RunningApp) -> dict[str, str]:
    """Return the job ids in MongoDB by employee."""
    return {job["empid"]: job["_id"] async for job in app.resources.mongo.jobs.find()}


def later(number: int, **others: Any) -> task_pb2.MeetRequest:
    return a_meet(number, timestamp=int(time.time()) // HOUR * HOUR + 2 * HOUR, **others)


async def test_a_thousand_are_stored_and_answered_in_their_order(
    stub: Stub, app: RunningApp
) -> None:
    requests = [later(number) for number in range(1_000)]

    answers = await batch(stub, requests)

    stored = await ids(app)
    assert [answer.response.job_id for answer in answers] == [stored[r.empid] for r in requests]
    assert {answer.response.outcome for answer in answers} == {Response.CREATED}
    assert len(stored) == 1_000


async def test_due_jobs_are_mailed(stub: Stub, relay: Relay) -> None:
    await batch(stub, [a_meet(number) for number in range(50)])

    await until(lambda: len(relay.ledger) == 50)
    assert relay.violations == []


async def test_an_invalid_request_never_affects_its_neighbours(stub: Stub, app: RunningApp) -> None:
    await stub.ScheduleMeet(later(1, request_id="R"))
    requests = [
        later(2, emailID="no-at-sign", empName="\n"),
        later(3),
        later(1, request_id="R"),
        later(4, request_id="R"),
        later(5, message="x" * 70_000),
        later(3),
        later(6, validate_only=True),
        later(7, template="lost", validate_only=True),
        a_meet(8, timestamp=0),
    ]

    wrong, good, replayed, reused, large, twin, shown, lost, daily = await batch(stub, requests)

    stored = await ids(app)
    assert {number for number in range(9) if f"EMP{number:06d}" in stored} == {1, 3, 8}
    assert [field for field, _ in violations(wrong.error)] == ["emailID", "empName"]
    assert (good.response.success, good.response.job_id) == (True, stored["EMP000003"])
    assert replayed.response.outcome == Response.REPLAYED
    assert error_reason(reused.error) == ("REQUEST_ID_REUSED", {"job_id": stored["EMP000001"]})
    assert error_reason(large.error)[0] == "REQUEST_TOO_LARGE"
    assert (twin.response.outcome, twin.response.job_id) == (
        Response.REPLAYED,
        good.response.job_id,
    )
    assert (shown.response.success, shown.response.preview.subject) == (True, requests[6].message)
    assert [field for field, _ in violations(lost.error)] == ["template"]
    assert daily.response.outcome == Response.QUEUED_FOR_DAILY


async def test_an_error_in_a_batch_is_the_one_that_the_single_call_has(
    stub: Stub,
) -> None:
    request = a_meet(1, emailID="no-at-sign", timestamp=-1)

    [answer] = await batch(stub, [request])
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.ScheduleMeet(request)

    assert answer.error == status_of(caught.value)


@pytest.mark.parametrize("count", [0, 1_001])
async def test_a_batch_has_one_to_a_thousand(stub: Stub, app: RunningApp, count: int) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await batch(stub, [later(number) for number in range(count)])

    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert violations(status_of(caught.value)) == [("requests", f"must be 1 to 1000, are {count}")]
    assert await ids(app) == {}


async def test_a_batch_counts_as_many_as_it_has(
    mongo_uri: str, redis_url: str, relay: Relay
) -> None:
    settings = make_settings(
        mongo=mongo_uri, redis=redis_url, relay_port=relay.port, admission_waiting="10"
    )
    async with running_app(settings) as app, scheduler_stub(app.target) as stub:
        alone = await batch(stub, [later(number) for number in range(11)])
        answers = await asyncio.gather(
            *(batch(stub, [later(100 * n + number) for number in range(6)]) for n in range(1, 51)),
            return_exceptions=True,
        )

        assert {answer.response.success for answer in alone} == {True}
        refused = [each for each in answers if isinstance(each, grpc.aio.AioRpcError)]
        assert {each.code() for each in refused} == {grpc.StatusCode.RESOURCE_EXHAUSTED}
        assert {error_reason(status_of(each))[0] for each in refused} == {"OVERLOADED"}
        assert len(await ids(app)) == 11 + 6 * (50 - len(refused))


async def test_one_notification_per_employee_and_window(
    mongo_uri: str, redis_url: str, relay: Relay
) -> None:
    settings = make_settings(
        mongo=mongo_uri, redis=redis_url, relay_port=relay.port, dedup="employee"
    )
    async with running_app(settings) as app, scheduler_stub(app.target) as stub:
        first = await stub.ScheduleMeet(later(1, request_id="R"))
        again = await stub.ScheduleMeet(later(1, request_id="R"))
        other = await stub.ScheduleMeet(later(1, message="Something else"))
        shown = await stub.ScheduleMeet(later(1, message="Something else", validate_only=True))
        one, two, three = await batch(stub, [later(2), later(2, message="More"), later(1)])

        stored = await ids(app)
        assert set(stored) == {"EMP000001", "EMP000002"}
    assert (again.outcome, again.job_id) == (Response.REPLAYED, first.job_id)
    for refused in (other, two.response, three.response):
        assert refused == task_pb2.MeetResponse(outcome=Response.REFUSED_DUPLICATE)
    assert (shown.success, shown.outcome) == (False, Response.REFUSED_DUPLICATE)
    assert shown.preview.duplicate_of == first.job_id
    assert one.response.outcome == Response.CREATED


async def test_a_thousand_previews_fit_into_one_answer_and_have_at_least_their_size(
    stub: Stub,
) -> None:
    fields = {"message": "я" * 998, "validate_only": True}
    answers = await batch(stub, [later(n, **fields) for n in range(1_000)])

    previews = [answer.response.preview for answer in answers]
    whole = [preview for preview in previews if preview.html]
    assert 100 < len(whole) < 1_000
    assert previews[: len(whole)] == whole
    assert all(preview.subject and preview.size_bytes > 1_000 for preview in previews)


async def test_a_thousand_requests_with_all_fields_invalid_fit_into_one_answer(
    stub: Stub,
) -> None:
    labels = {f"label-{number}": "x" * 64 for number in range(30)}

    answers = await batch(stub, [later(n, labels=labels) for n in range(1_000)])

    assert {error_reason(answer.error)[0] for answer in answers} == {"INVALID_REQUEST"}
    assert len(violations(answers[0].error)) > 5


async def test_late_requests_fail_by_themselves_and_timely_jobs_are_found(
    stub: Stub, app: RunningApp, relay: Relay
) -> None:
    then = int(time.time()) - 60
    first = await stub.ScheduleMeet(a_meet(1, timestamp=then))
    await until(lambda: relay.ledger)
    one, two = (a_meet(number, timestamp=then, not_after=then) for number in (1, 2))

    again, other, good = await batch(stub, [one, two, later(3)])

    assert again.response.outcome == Response.REPLAYED
    assert again.response.job_id == first.job_id
    assert [field for field, _ in violations(other.error)] == ["not_after"]
    assert good.response.outcome == Response.CREATED
    assert len(await ids(app)) == 2
