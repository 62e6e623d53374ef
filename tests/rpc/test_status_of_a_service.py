"""GetStatus of the whole service: true at once, and answered while stores are away."""

import time
from functools import partial
from pathlib import Path

import pytest

from gcsched.pb import task_pb2
from tests.support.app import a_setting, all_are_sent, ask_for, running
from tests.support.relay.server import Relay
from tests.support.service import Stub, scheduler
from tests.support.stores import own_mongod, own_valkey
from tests.support.wait import until

LONGEST_SECONDS = 1.5  # half a second, on a machine that does much else


async def report(stub: Stub) -> task_pb2.StatusReport:
    begun = time.monotonic()
    answer: task_pb2.StatusReport = await stub.GetStatus(task_pb2.GetStatusRequest())
    assert time.monotonic() - begun < LONGEST_SECONDS
    return answer


def counts(seen: task_pb2.StatusReport) -> dict[str, int]:
    return {task_pb2.Job.State.Name(each.state): each.count for each in seen.counts}


async def troubles(stub: Stub) -> dict[str, str]:
    return {each.name: each.problem for each in (await report(stub)).stores}


async def are_well(stub: Stub) -> bool:
    return await troubles(stub) == {"mongodb": "", "redis": ""}


async def test_what_was_sent_a_moment_ago_is_counted(mongo_uri: str, redis_url: str) -> None:
    async with Relay() as relay:
        settings = a_setting(mongo=mongo_uri, redis=redis_url, relay_port=relay.port)
        async with running(settings) as app, scheduler(app.target) as stub:
            for sent in (3, 6, 9):
                await ask_for(app, 3, begin=sent)
                await until(lambda: all_are_sent(app.resources))
                await until(partial(is_counted, stub, sent))


async def is_counted(stub: Stub, sent: int) -> bool:
    seen = await report(stub)
    age = seen.report_time.ToDatetime() - seen.count_time.ToDatetime()
    return counts(seen).get("SENT") == sent and age.total_seconds() < 1


@pytest.mark.parametrize("how", ["killed", "frozen"])
async def test_a_mongodb_that_is_away_is_told_and_counts_show_their_age(
    tmp_path: Path, redis_url: str, how: str
) -> None:
    async with own_mongod(tmp_path) as mongod:
        settings = a_setting(mongo=mongod.uri, redis=redis_url, relay_port=9)
        async with running(settings) as app, scheduler(app.target) as stub:
            await until(lambda: are_well(stub))
            since = (await report(stub)).stores[0].state_time.ToDatetime()
            (mongod.stop_signal if how == "frozen" else mongod.kill)()

            await until(lambda: is_in_trouble(stub, "mongodb"))
            seen = await report(stub)
            assert seen.stores[0].state_time.ToDatetime() >= since
            assert seen.stores[1].problem == ""
            await until(lambda: is_old(stub, 3))

            if how == "frozen":
                mongod.cont()
                await until(lambda: are_well(stub), within=20)
                await until(lambda: is_young(stub), within=20)


async def is_in_trouble(stub: Stub, name: str) -> bool:
    return bool((await troubles(stub))[name])


async def is_old(stub: Stub, seconds: int) -> bool:
    return await age_of_counts(stub) >= seconds


async def is_young(stub: Stub) -> bool:
    return await age_of_counts(stub) < 1


async def age_of_counts(stub: Stub) -> float:
    seen = await report(stub)
    return (seen.report_time.ToDatetime() - seen.count_time.ToDatetime()).total_seconds()


@pytest.mark.parametrize("how", ["killed", "frozen"])
async def test_a_redis_that_is_away_is_told_with_its_time(
    tmp_path: Path, mongo_uri: str, how: str
) -> None:
    async with own_valkey(tmp_path) as valkey:
        settings = a_setting(mongo=mongo_uri, redis=valkey.uri, relay_port=9)
        async with running(settings) as app, scheduler(app.target) as stub:
            await until(lambda: are_well(stub))
            (valkey.stop_signal if how == "frozen" else valkey.kill)()

            await until(lambda: is_in_trouble(stub, "redis"))

            seen = await report(stub)
            assert seen.stores[0].problem == ""
            since = seen.report_time.ToDatetime() - seen.stores[1].state_time.ToDatetime()
            assert 0 <= since.total_seconds() < 3
            if how == "frozen":
                valkey.cont()
                await until(lambda: are_well(stub), within=20)
