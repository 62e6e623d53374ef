"""ScheduleMeet as callers see it, with a real channel, real stores and a real relay."""

import asyncio
import random
import time
from pathlib import Path

import grpc
import pytest
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

from gcsched.pb import task_pb2
from tests.support.in_process_app import RunningApp, make_settings, running_app
from tests.support.relay.script import repeatable
from tests.support.relay.server import Relay
from tests.support.service_process import Stub, a_meet, scheduler_stub
from tests.support.status_details import details, status_of
from tests.support.stores import own_mongod
from tests.support.wait import until


def detail(error: grpc.aio.AioRpcError, kind: type[Message]) -> list[object]:
    return [*details(status_of(error), kind)]


async def test_a_past_timestamp_is_mailed_now(stub: Stub, relay: Relay) -> None:
    reply = await stub.ScheduleMeet(a_meet(7, message="Interview on Friday", empName="Zoë"))

    await until(lambda: relay.ledger)
    mail = relay.ledger[0]
    assert reply.success
    assert reply.job_id in mail.header("Message-ID")
    assert mail.recipient == "7-1672531200@bench.test"
    assert mail.header("Subject") == "Interview on Friday"
    assert relay.violations == []


async def test_a_future_second_is_neither_early_nor_much_late(stub: Stub, relay: Relay) -> None:
    due = int(time.time()) + 2

    await stub.ScheduleMeet(a_meet(1, timestamp=due))

    await until(lambda: relay.ledger)
    assert 0 <= relay.ledger[0].time - due < 1


async def test_all_violations_come_at_once_with_their_fields(
    stub: Stub,
) -> None:
    request = task_pb2.MeetRequest(
        empid="", emailID="no-at-sign", message="a\r\nBcc: all@example.org", timestamp=1672531200000
    )

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.ScheduleMeet(request)

    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    (bad,) = detail(caught.value, error_details_pb2.BadRequest)
    assert isinstance(bad, error_details_pb2.BadRequest)
    reported = {each.field: each.description for each in bad.field_violations}
    assert set(reported) == {"empid", "emailID", "message", "timestamp"}
    assert "milliseconds" in reported["timestamp"]
    (info,) = detail(caught.value, error_details_pb2.ErrorInfo)
    assert isinstance(info, error_details_pb2.ErrorInfo)
    assert info.reason == "INVALID_REQUEST"
    assert info.domain == "gcsched"


async def test_the_same_request_again_is_the_same_job_and_one_mail(
    stub: Stub, relay: Relay
) -> None:
    replies = await asyncio.gather(*(stub.ScheduleMeet(a_meet(1)) for _ in range(50)))
    later = await stub.ScheduleMeet(a_meet(2))

    await until(lambda: len(relay.ledger) >= 2)
    assert len({reply.job_id for reply in replies}) == 1
    assert later.job_id not in {reply.job_id for reply in replies}
    assert len(relay.ledger) == 2


async def test_a_request_over_64_kib_is_refused(stub: Stub) -> None:
    request = a_meet(1, empName="x" * 70_000)

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.ScheduleMeet(request)

    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "65536" in (caught.value.details() or "")


async def test_a_caller_that_hangs_up_loses_only_the_answer(
    stub: Stub, relay: Relay, app: RunningApp
) -> None:
    call = stub.ScheduleMeet(a_meet(1))
    await call.wait_for_connection()
    await until(lambda: app.resources.mongo.jobs.count_documents({}), every=0)

    call.cancel()

    await until(lambda: relay.ledger)
    again = await stub.ScheduleMeet(a_meet(1))
    assert again.success
    assert await app.resources.mongo.jobs.count_documents({}) == 1


async def test_a_store_that_is_silent_makes_unavailable_within_the_deadline(
    tmp_path: Path, redis_url: str, relay: Relay
) -> None:
    async with own_mongod(tmp_path) as mongod:
        settings = make_settings(mongo=mongod.uri, redis=redis_url, relay_port=relay.port)
        async with running_app(settings) as app, scheduler_stub(app.target) as stub:
            mongod.freeze()
            start = time.monotonic()
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await stub.ScheduleMeet(a_meet(1), timeout=1.5)
            took = time.monotonic() - start
            mongod.resume()
            first = await stub.ScheduleMeet(a_meet(1), timeout=20)
            again = await stub.ScheduleMeet(a_meet(1), timeout=20)

            assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
            assert took < 1.5
            (retry,) = detail(caught.value, error_details_pb2.RetryInfo)
            assert isinstance(retry, error_details_pb2.RetryInfo)
            assert retry.retry_delay.ToTimedelta().total_seconds() > 0
            assert first.job_id == again.job_id
            assert await app.resources.mongo.jobs.count_documents({}) == 1


async def test_a_silent_store_ends_a_dry_run_within_the_deadline(
    tmp_path: Path, redis_url: str, relay: Relay
) -> None:
    dry_run = a_meet(1, validate_only=True)
    batch = task_pb2.BatchScheduleMeetsRequest(requests=[dry_run, dry_run])
    async with own_mongod(tmp_path) as mongod:
        settings = make_settings(mongo=mongod.uri, redis=redis_url, relay_port=relay.port)
        async with running_app(settings) as app, scheduler_stub(app.target) as stub:
            mongod.freeze()
            alone = stub.ScheduleMeet(dry_run, timeout=1.5)
            together = await stub.BatchScheduleMeets(batch, timeout=1.5)
            code = await alone.code()
            mongod.resume()

    assert code is grpc.StatusCode.UNAVAILABLE
    assert [each.error.code for each in together.answers] == [code_pb2.UNAVAILABLE] * 2


async def test_a_frozen_store_holds_so_many_calls_and_no_more(
    tmp_path: Path, redis_url: str, relay: Relay
) -> None:
    most, rest = 20, 480  # more than a connection may have at once
    async with own_mongod(tmp_path) as mongod:
        settings = make_settings(
            mongo=mongod.uri,
            redis=redis_url,
            relay_port=relay.port,
            admission_waiting=str(most),
        )
        async with running_app(settings) as app, scheduler_stub(app.target) as stub:
            await stub.ScheduleMeet(a_meet(0))
            mongod.freeze()
            start = time.process_time()
            calls = [
                asyncio.create_task(find_answer(stub, a_meet(n))) for n in range(1, most + rest + 1)
            ]
            await until(lambda: sum(call.done() for call in calls) == rest)
            took = time.process_time() - start
            unread = await find_answer(stub, a_meet(1, emailID="no-at-sign"))
            refused = [call for call in calls if call.done()]
            mongod.resume()
            kept = await asyncio.gather(*(call for call in calls if call not in refused))

    assert took < 2  # seconds of CPU time; a refusal takes 0.5 ms, half of it in the caller
    assert len(kept) == most
    assert all(isinstance(each, task_pb2.MeetResponse) and each.success for each in kept)
    for error in (*(call.result() for call in refused), unread):
        assert isinstance(error, grpc.aio.AioRpcError)
        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        (info,) = detail(error, error_details_pb2.ErrorInfo)
        (retry,) = detail(error, error_details_pb2.RetryInfo)
        assert isinstance(info, error_details_pb2.ErrorInfo)
        assert isinstance(retry, error_details_pb2.RetryInfo)
        assert info.reason == "OVERLOADED"
        assert retry.retry_delay.ToTimedelta().total_seconds() > 0


async def find_answer(
    stub: Stub, request: task_pb2.MeetRequest
) -> task_pb2.MeetResponse | grpc.aio.AioRpcError:
    """Return the reply or the error: none is left for asyncio to log in a later test."""
    try:
        return await stub.ScheduleMeet(request, timeout=20)
    except grpc.aio.AioRpcError as error:
        return error


async def test_random_bad_requests_only_meet_invalid_argument(stub: Stub, relay: Relay) -> None:
    chance = repeatable(7)

    async def code_of(request: task_pb2.MeetRequest) -> grpc.StatusCode:
        try:
            await stub.ScheduleMeet(request)
        except grpc.aio.AioRpcError as error:
            return error.code()
        return grpc.StatusCode.OK

    codes = await asyncio.gather(*(code_of(a_bad_request(chance)) for _ in range(1000)))
    good = await stub.ScheduleMeet(a_meet(1))

    await until(lambda: relay.ledger)
    assert set(codes) == {grpc.StatusCode.INVALID_ARGUMENT}
    assert good.success
    assert len(relay.ledger) == 1


def a_bad_request(chance: random.Random) -> task_pb2.MeetRequest:
    """Make a request with two invalid fields."""
    injected = "\r\n\x00\x85\u2028\u2029\x1b\x7f"

    def inject_text(text: str) -> str:
        position = chance.randrange(len(text))
        return text[:position] + chance.choice(injected) + "Bcc: x@evil.test" + text[position:]

    request = a_meet(chance.randrange(10**6), timestamp=chance.choice([0, 1, 1672531200]))
    for field in chance.sample(("empid", "emailID", "message", "empName", "timestamp"), k=2):
        match field:
            case "timestamp":
                request.timestamp = chance.choice([-1, -(2**63), 2**63 - 1, 1672531200000, 10**10])
            case "emailID":
                request.emailID = chance.choice(
                    [
                        inject_text("ada@example.org"),
                        "",
                        "a@b@c.org",
                        "a b@c.org",
                        "x" * 300 + "@c.org",
                    ]
                )
            case _:
                setattr(request, field, inject_text("y" * chance.randrange(3, 200)))
    return request


async def test_health_and_reflection_tell_about_the_service(app: RunningApp) -> None:
    async with grpc.aio.insecure_channel(app.target) as channel:
        health_stub = health_pb2_grpc.HealthStub(channel)
        answer = await health_stub.Check(
            health_pb2.HealthCheckRequest(service="scheduler.Scheduler")
        )

    def services() -> list[str]:
        with grpc.insecure_channel(app.target) as channel:
            return list(ProtoReflectionDescriptorDatabase(channel).get_services())

    assert answer.status == health_pb2.HealthCheckResponse.SERVING
    assert "scheduler.Scheduler" in await asyncio.to_thread(services)
