"""Wake-ups and their workers on a real Valkey; oracle: its keys, and the calls."""

import asyncio
import time
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgpack
import pytest
import redis

from gcsched.adapters.redis.arq import ArqWakeUpQueue, seconds_until_next_poll
from gcsched.domain.due import DailyPlan
from tests.support.arq_pools import (
    LONG_AGO,
    ReceivedWakeUps,
    a_pool_without_crons,
    an_arq_pool,
    keys,
    unix_second,
)
from tests.support.background import in_background
from tests.support.wait import until


async def test_a_second_is_one_job_however_often_it_is_enqueued(
    wake_ups: ArqWakeUpQueue, redis_url: str
) -> None:
    due = unix_second(ahead=30)

    await asyncio.gather(*[wake_ups.enqueue(due) for _ in range(20)])
    await wake_ups.enqueue(due)

    assert keys(redis_url) == {"gcsched:queue", f"arq:job:gcsched:wake:{due}"}
    with redis.Redis.from_url(redis_url) as raw:
        queued = raw.zrange("gcsched:queue", 0, -1, withscores=True)
    assert queued == [(f"gcsched:wake:{due}".encode(), due * 1000)]


@pytest.mark.parametrize("due", [LONG_AGO, 0, 1], ids=["long ago", "zero", "one"])
async def test_a_second_in_the_past_is_due_now(
    wake_ups: ArqWakeUpQueue, redis_url: str, due: int
) -> None:
    before = time.time() * 1000

    await wake_ups.enqueue(due)

    with redis.Redis.from_url(redis_url) as raw:
        [(_, score)] = raw.zrange("gcsched:queue", 0, -1, withscores=True)
    assert before - 1 <= score <= time.time() * 1000 + 1


async def test_seconds_without_a_wake_up_are_missing(wake_ups: ArqWakeUpQueue) -> None:
    due = unix_second(ahead=30)
    await wake_ups.enqueue(due)

    missing = await wake_ups.find_missing([due, due + 1])

    assert set(missing) == {due + 1}


async def test_there_is_no_pickle_in_redis(wake_ups: ArqWakeUpQueue, redis_url: str) -> None:
    due = unix_second(ahead=30)
    await wake_ups.enqueue(due)

    with redis.Redis.from_url(redis_url) as raw:
        stored = raw.get(f"arq:job:gcsched:wake:{due}")

    assert isinstance(stored, bytes)
    job: dict[str, Any] = msgpack.unpackb(stored)
    assert (job["f"], job["a"], job["k"]) == ("gcsched:wake", [due], {})


async def test_a_wake_up_arrives_with_its_second_not_before_and_once(
    wake_ups: ArqWakeUpQueue, received: ReceivedWakeUps, redis_url: str
) -> None:
    due = unix_second(ahead=2)

    async with in_background(an_arq_pool(redis_url, received).run):
        for _ in range(5):
            await wake_ups.enqueue(due)
        await until(lambda: received.seconds)
        late = time.time() - due
        await until(lambda: not keys(redis_url) & {f"arq:job:gcsched:wake:{due}"})

    assert received.seconds == [due]
    assert 0 <= late < 0.25


async def test_two_replicas_receive_each_wake_up_once(
    wake_ups: ArqWakeUpQueue, redis_url: str
) -> None:
    received = [ReceivedWakeUps(), ReceivedWakeUps()]
    seconds = [LONG_AGO + number for number in range(40)]

    async with (
        in_background(an_arq_pool(redis_url, received[0]).run),
        in_background(an_arq_pool(redis_url, received[1]).run),
    ):
        for due in seconds:
            await wake_ups.enqueue(due)
        await until(lambda: len(received[0].seconds) + len(received[1].seconds) >= 40)

    assert sorted(received[0].seconds + received[1].seconds) == seconds


async def test_after_a_wake_up_the_same_second_can_be_enqueued_again(
    wake_ups: ArqWakeUpQueue, received: ReceivedWakeUps, redis_url: str
) -> None:
    left: list[set[str]] = []

    async def schedule_again() -> None:
        left.append(keys(redis_url) - {"gcsched:health"})
        if len(left) < 3:
            await wake_ups.enqueue(LONG_AGO)

    received.after_wake_up = schedule_again
    async with in_background(a_pool_without_crons(redis_url, received).run):
        await wake_ups.enqueue(LONG_AGO)
        await until(lambda: len(left) == 3)

    assert received.seconds == [LONG_AGO] * 3
    assert left == [set(), set(), set()]


async def test_every_key_has_our_prefix(
    wake_ups: ArqWakeUpQueue, received: ReceivedWakeUps, redis_url: str
) -> None:
    seen: set[str] = set()

    async def collect_keys() -> bool:
        seen.update(keys(redis_url))
        return any("in-progress" in key for key in seen)

    async def collect_until_in_progress() -> None:
        await until(collect_keys)

    received.after_wake_up = collect_until_in_progress
    async with in_background(an_arq_pool(redis_url, received).run):
        await wake_ups.enqueue(unix_second(ahead=1))
        await wake_ups.enqueue(LONG_AGO)
        await until(collect_keys, every=0.0)

    key_prefixes = {key.partition("gcsched:")[0] for key in seen}
    assert key_prefixes <= {"", "arq:job:", "arq:in-progress:", "arq:retry:"}
    assert {key for key in seen if "gcsched:" not in key} == set()


async def test_when_all_is_done_nothing_stays_in_redis(
    wake_ups: ArqWakeUpQueue, received: ReceivedWakeUps, redis_url: str
) -> None:
    async with in_background(a_pool_without_crons(redis_url, received).run):
        for number in range(20):
            await wake_ups.enqueue(LONG_AGO + number)
        await until(lambda: len(received.seconds) == 20)
        await until(lambda: keys(redis_url) == {"gcsched:health"})

    with redis.Redis.from_url(redis_url) as raw:
        assert raw.ttl("gcsched:health") in range(1, 12)


async def test_the_sweep_comes_every_ten_seconds_and_the_daily_run_at_its_time(
    received: ReceivedWakeUps, redis_url: str
) -> None:
    """The clock is a real one, so this takes up to ten seconds; it is the only such test."""
    in_two_seconds = datetime.now(ZoneInfo("Asia/Kolkata")) + timedelta(seconds=2)
    at = in_two_seconds.replace(microsecond=0)
    daily = DailyPlan(at=at.time(), zone=ZoneInfo("Asia/Kolkata"))

    async with in_background(an_arq_pool(redis_url, received, daily=daily).run):
        await until(lambda: received.sweeps and received.daily_runs, within=11.5)

    assert received.sweeps[0] % 10 < 0.6
    assert 0 <= received.daily_runs[0] - at.timestamp() < 0.6
    assert len(received.daily_runs) == 1


@pytest.mark.parametrize("moment", [100.0, 100.1, 100.25, 100.2519, 100.2521, 100.9999])
def test_the_next_poll_is_just_after_the_next_quarter_of_a_second(moment: float) -> None:
    poll = moment + seconds_until_next_poll(moment)

    assert 0 < poll - moment <= 0.2501
    assert poll % 0.25 == pytest.approx(0.002)
