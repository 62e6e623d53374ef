"""The clock of all replicas is the server's, which here is the test machine's as well."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from structlog.testing import capture_logs

from gcsched.adapters.mongo.clock import ServerClock
from gcsched.adapters.mongo.connection import Mongo, open_mongo
from gcsched.errors import StoreUnavailable
from tests.support.background import in_background
from tests.support.wait import until

NOTHING = timedelta(0)
A_MOMENT = timedelta(milliseconds=50)


class LocalClock:
    """This machine's clock, set wrong by *error*."""

    def __init__(self, error: timedelta = NOTHING) -> None:
        self.error = error

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.error


def is_now(clock: ServerClock) -> bool:
    """Return whether *clock* is right, however long it takes on a busy machine to ask it."""
    before = datetime.now(UTC)
    shown = clock()
    return before - A_MOMENT < shown < datetime.now(UTC) + A_MOMENT


@pytest.fixture(params=["UTC", "Asia/Kolkata", "America/St_Johns"])
def time_zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", request.param)
        time.tzset()
        yield request.param
    time.tzset()


@pytest.mark.usefixtures("time_zone")
async def test_a_correct_clock_is_not_corrected_in_any_time_zone(mongo: Mongo) -> None:
    clock = ServerClock(mongo=mongo, local=LocalClock())

    difference = await clock.measure()

    assert abs(difference) < A_MOMENT
    assert clock.offset == NOTHING


@pytest.mark.parametrize("hours", [-1, 1], ids=["slow", "fast"])
async def test_a_wrong_clock_is_corrected_and_logged_once(mongo: Mongo, hours: int) -> None:
    clock = ServerClock(mongo=mongo, local=LocalClock(timedelta(hours=hours)))

    with capture_logs() as logs:
        await clock.measure()
        await clock.measure()

    assert is_now(clock)
    assert [log["event"] for log in logs] == ["clock differs from MongoDB's"]
    assert abs(logs[0]["seconds"] + hours * 3600) < 0.05


async def test_a_small_difference_is_not_corrected(mongo: Mongo) -> None:
    clock = ServerClock(mongo=mongo, local=LocalClock(timedelta(milliseconds=40)))

    difference = await clock.measure()

    assert abs(difference + timedelta(milliseconds=40)) < timedelta(milliseconds=30)
    assert clock.offset == NOTHING


async def test_a_clock_that_was_set_right_is_trusted_again(mongo: Mongo) -> None:
    local = LocalClock(timedelta(hours=1))
    clock = ServerClock(mongo=mongo, local=local)
    await clock.measure()

    local.error = NOTHING
    await clock.measure()

    assert clock.offset == NOTHING


async def test_the_difference_is_measured_periodically(
    mongo: Mongo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gcsched.adapters.mongo.clock.MEASURE_INTERVAL_SECONDS", 0.01)
    local = LocalClock()
    clock = ServerClock(mongo=mongo, local=local)

    async with in_background(clock.run):
        local.error = timedelta(hours=1)
        await until(lambda: clock.offset < -timedelta(minutes=59))
        local.error = NOTHING
        await until(lambda: clock.offset == NOTHING)


def is_corrected(clock: ServerClock, error: timedelta) -> bool:
    return abs(clock.offset + error) < A_MOMENT


async def test_a_clock_that_is_set_is_noticed_within_seconds(mongo: Mongo) -> None:
    local = LocalClock()
    clock = ServerClock(mongo=mongo, local=local)
    await clock.measure()

    async with in_background(clock.run):
        for error in (timedelta(minutes=10), timedelta(minutes=-10), NOTHING):
            local.error = error
            await until(partial(is_corrected, clock, error), within=3)


async def test_setting_the_clock_changes_nothing_before_the_next_measurement(mongo: Mongo) -> None:
    local = LocalClock()
    clock = ServerClock(mongo=mongo, local=local)
    await clock.measure()

    local.error = timedelta(days=2)
    is_right_at_once = is_now(clock)
    await clock.measure()

    assert is_right_at_once
    assert is_now(clock)


async def test_without_the_store_the_last_offset_stays(
    unused_tcp_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gcsched.adapters.mongo.clock.MEASURE_INTERVAL_SECONDS", 0.01)
    away = f"mongodb://127.0.0.1:{unused_tcp_port}/?serverSelectionTimeoutMS=50"
    local = LocalClock()
    async with open_mongo(away) as mongo:
        clock = ServerClock(mongo=mongo, local=local)
        clock.offset = timedelta(hours=2)

        with pytest.raises(StoreUnavailable):
            await clock.measure()
        async with in_background(clock.run):
            local.error = timedelta(hours=1)
            error = clock() - datetime.now(UTC)

    assert clock.offset == timedelta(hours=2)
    assert abs(error - timedelta(hours=2)) < A_MOMENT
