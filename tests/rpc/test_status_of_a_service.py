"""GetStatus of the whole service: up to date at once, and answered while stores are away."""

import time
from functools import partial
from pathlib import Path

import pytest
import tzdata

from gcsched.pb import task_pb2
from tests.support.in_process_app import (
    make_settings,
    read_jobs_if_all_sent,
    running_app,
    schedule_mails,
)
from tests.support.relay.server import Relay
from tests.support.service_process import Stub, scheduler_stub
from tests.support.stores import own_mongod, own_valkey
from tests.support.wait import until

MAX_SECONDS = 1.5  # half a second, on a machine that does much else


async def get_report(stub: Stub) -> task_pb2.StatusReport:
    start = time.monotonic()
    answer: task_pb2.StatusReport = await stub.GetStatus(task_pb2.GetStatusRequest())
    assert time.monotonic() - start < MAX_SECONDS
    return answer


def counts(seen: task_pb2.StatusReport) -> dict[str, int]:
    return {task_pb2.Job.State.Name(each.state): each.count for each in seen.counts}


async def get_store_problems(stub: Stub) -> dict[str, str]:
    return {each.name: each.problem for each in (await get_report(stub)).stores}


async def are_healthy(stub: Stub) -> bool:
    return await get_store_problems(stub) == {"mongodb": "", "redis": ""}


async def test_mails_sent_a_moment_ago_are_counted(mongo_uri: str, redis_url: str) -> None:
    async with Relay() as relay:
        settings = make_settings(mongo=mongo_uri, redis=redis_url, relay_port=relay.port)
        async with running_app(settings) as app, scheduler_stub(app.target) as stub:
            for sent in (3, 6, 9):
                await schedule_mails(app, 3, first=sent)
                await until(lambda: read_jobs_if_all_sent(app.resources))
                await until(partial(is_counted, stub, sent))
            assert (await get_report(stub)).zone_version == tzdata.IANA_VERSION


async def is_counted(stub: Stub, sent: int) -> bool:
    seen = await get_report(stub)
    age = seen.report_time.ToDatetime() - seen.count_time.ToDatetime()
    return counts(seen).get("SENT") == sent and age.total_seconds() < 1


@pytest.mark.parametrize("failure", ["killed", "frozen"])
async def test_a_mongodb_that_is_away_is_reported_and_counts_show_their_age(
    tmp_path: Path, redis_url: str, failure: str
) -> None:
    async with own_mongod(tmp_path) as mongod:
        settings = make_settings(mongo=mongod.uri, redis=redis_url, relay_port=9)
        async with running_app(settings) as app, scheduler_stub(app.target) as stub:
            await until(lambda: are_healthy(stub))
            state_time = (await get_report(stub)).stores[0].state_time.ToDatetime()
            (mongod.freeze if failure == "frozen" else mongod.kill)()

            await until(lambda: has_problem(stub, "mongodb"))
            seen = await get_report(stub)
            assert seen.stores[0].state_time.ToDatetime() >= state_time
            assert seen.stores[1].problem == ""
            await until(lambda: is_old(stub, 3))

            if failure == "frozen":
                mongod.resume()
                await until(lambda: are_healthy(stub), within=20)
                await until(lambda: is_fresh(stub), within=20)


async def has_problem(stub: Stub, name: str) -> bool:
    return bool((await get_store_problems(stub))[name])


async def is_old(stub: Stub, seconds: int) -> bool:
    return await age_of_counts(stub) >= seconds


async def is_fresh(stub: Stub) -> bool:
    return await age_of_counts(stub) < 1


async def age_of_counts(stub: Stub) -> float:
    seen = await get_report(stub)
    return (seen.report_time.ToDatetime() - seen.count_time.ToDatetime()).total_seconds()


@pytest.mark.parametrize("failure", ["killed", "frozen"])
async def test_a_redis_that_is_away_is_reported_with_its_time(
    tmp_path: Path, mongo_uri: str, failure: str
) -> None:
    async with own_valkey(tmp_path) as valkey:
        settings = make_settings(mongo=mongo_uri, redis=valkey.uri, relay_port=9)
        async with running_app(settings) as app, scheduler_stub(app.target) as stub:
            await until(lambda: are_healthy(stub))
            (valkey.freeze if failure == "frozen" else valkey.kill)()

            await until(lambda: has_problem(stub, "redis"))

            seen = await get_report(stub)
            assert seen.stores[0].problem == ""
            age = seen.report_time.ToDatetime() - seen.stores[1].state_time.ToDatetime()
            assert 0 <= age.total_seconds() < 3
            if failure == "frozen":
                valkey.resume()
                await until(lambda: are_healthy(stub), within=20)
