"""A process whose clock is wrong, by libfaketime: due times follow MongoDB's clock."""

import asyncio
import time
from pathlib import Path

import pytest

from tests.support.relay.server import Relay
from tests.support.service_process import a_meet, environment, running_service, scheduler_stub
from tests.support.wait import until
from tests.support.wrong_clock import clock_offset

pytest.importorskip("libfaketime", reason="its wheel is for Linux on x86_64")


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
    lateness = [kept.time - due for kept in relay.ledger]
    assert min(lateness) >= 0
    assert max(lateness) < 5  # the clock is 600 s off; a busy machine needs some seconds
    assert len(relay.per_recipient) == 20
    assert code == 0


@pytest.mark.parametrize("seconds", [-600, 600], ids=["slow", "fast"])
async def test_a_replica_whose_clock_is_wrong_delays_no_mail_of_the_others(
    tmp_path: Path, mongo_uri: str, redis_url: str, seconds: int
) -> None:
    """ARQ takes jobs by the local clock: too early where it is fast, too late where it is slow."""
    async with Relay() as relay:
        settings = environment(mongo=mongo_uri, redis=redis_url, relay_port=relay.port)
        async with (
            running_service(tmp_path, settings | clock_offset(seconds), name="wrong"),
            running_service(tmp_path, settings, name="right") as right,
            scheduler_stub(right.target) as stub,
        ):
            first_due = int(time.time()) + 4
            requests = [a_meet(number, timestamp=first_due + number % 3) for number in range(30)]
            await asyncio.gather(*(stub.ScheduleMeet(each, timeout=5) for each in requests))
            await until(lambda: len(relay.ledger) == 30)

    lateness = [
        kept.time - (first_due + int(kept.recipient.split("-")[0]) % 3) for kept in relay.ledger
    ]
    assert len(relay.per_recipient) == 30
    assert min(lateness) >= 0
    assert max(lateness) < 5  # the clock is 600 s off; a busy machine needs some seconds
