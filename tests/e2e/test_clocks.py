"""A process on a machine whose clock is wrong, by libfaketime: due times are MongoDB's."""

import asyncio
import time
from pathlib import Path

import pytest

from tests.support.relay.server import Relay
from tests.support.service_process import a_meet, environment, running_service, scheduler_stub
from tests.support.wait import until

libfaketime = pytest.importorskip("libfaketime", reason="its wheel is for Linux on x86_64")


def clock_offset(seconds: int) -> dict[str, str]:
    """Give the environment of a process whose wall clock is wrong; monotonic time stays right."""
    folder = Path(libfaketime.__file__).parent / "vendor" / "libfaketime" / "src"
    return {
        "LD_PRELOAD": str(folder / "libfaketime.so.1"),
        "FAKETIME": f"{seconds:+d}s",
        "DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_NO_CACHE": "1",
    }


@pytest.mark.parametrize("seconds", [-600, 600], ids=["slow", "fast"])
async def test_with_a_clock_ten_minutes_off_mails_leave_on_time(
    tmp_path: Path, mongo_uri: str, redis_url: str, seconds: int
) -> None:
    async with Relay() as relay:
        settings = environment(mongo=mongo_uri, redis=redis_url, relay_port=relay.port)
        async with running_service(tmp_path, settings | clock_offset(seconds)) as running:
            async with scheduler_stub(running.target) as stub:
                due = int(time.time()) + 4
                requests = [a_meet(number, timestamp=due) for number in range(20)]
                await asyncio.gather(*(stub.ScheduleMeet(each, timeout=5) for each in requests))
                await until(lambda: len(relay.ledger) == 20)
            code = await running.stop()

    assert "clock differs from MongoDB's" in running.log
    late = [kept.time - due for kept in relay.ledger]
    assert min(late) >= 0
    assert max(late) < 5  # of 600 that the clock is off; the machine may be busy
    assert len(relay.per_recipient) == 20
    assert code == 0


@pytest.mark.parametrize("seconds", [-600, 600], ids=["slow", "fast"])
async def test_a_replica_whose_clock_is_wrong_spoils_nothing_for_the_others(
    tmp_path: Path, mongo_uri: str, redis_url: str, seconds: int
) -> None:
    """ARQ picks by the local clock: a fast one empties the queue too early, a slow one too late."""
    async with Relay() as relay:
        settings = environment(mongo=mongo_uri, redis=redis_url, relay_port=relay.port)
        async with (
            running_service(tmp_path, settings | clock_offset(seconds), name="wrong"),
            running_service(tmp_path, settings, name="right") as right,
            scheduler_stub(right.target) as stub,
        ):
            begin = int(time.time()) + 4
            requests = [a_meet(number, timestamp=begin + number % 3) for number in range(30)]
            await asyncio.gather(*(stub.ScheduleMeet(each, timeout=5) for each in requests))
            await until(lambda: len(relay.ledger) == 30)

    late = [kept.time - (begin + int(kept.recipient.split("-")[0]) % 3) for kept in relay.ledger]
    assert len(relay.per_recipient) == 30
    assert min(late) >= 0
    assert max(late) < 5  # of 600 that the clock is off; the machine may be busy
