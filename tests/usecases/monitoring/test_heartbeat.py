"""Which process is cut off, on a store of heartbeats that a test writes."""

from dataclasses import dataclass, field

import pytest

from gcsched.errors import RedisUnavailable
from gcsched.usecases.monitoring.heartbeat import CUT_OFF_AFTER_SECONDS, RECENT_SECONDS, Heartbeat


@dataclass
class FakeHeartbeatStore:
    """The store that all processes share, and the one clock of this test."""

    mark: str | None = None
    is_away: bool = False
    seconds: float = 0.0
    read_count: int = 0

    def clock(self) -> float:
        return self.seconds

    async def write(self, mark: str) -> None:
        self.fail_if_away()
        self.mark = mark

    async def read_latest(self) -> str | None:
        self.read_count += 1
        self.fail_if_away()
        return self.mark

    def fail_if_away(self) -> None:
        if self.is_away:
            raise RedisUnavailable("looking who reaches MongoDB", "away")


@dataclass
class Process:
    shared: FakeHeartbeatStore
    is_reached: bool = True
    is_serving: bool = True
    heartbeat: Heartbeat = field(init=False)

    def __post_init__(self) -> None:
        self.heartbeat = Heartbeat(
            store=self.shared,
            is_reached=lambda: self.is_reached,
            is_serving=lambda: self.is_serving,
            clock=self.shared.clock,
        )

    @property
    def is_cut_off(self) -> bool:
        return self.heartbeat.problem is not None


async def advance(shared: FakeHeartbeatStore, count: float, *processes: Process) -> None:
    for _ in range(int(count)):
        shared.seconds += 1
        for each in processes:
            await each.heartbeat.beat_or_listen()


async def test_only_the_process_that_does_not_reach_mongodb_is_cut_off() -> None:
    shared = FakeHeartbeatStore()
    one, other = Process(shared), Process(shared)
    await advance(shared, 3, one, other)
    one.is_reached = False

    await advance(shared, CUT_OFF_AFTER_SECONDS, one, other)
    assert not one.is_cut_off, "an election may last so long"
    await advance(shared, 2, one, other)

    assert one.is_cut_off
    assert one.heartbeat.problem == (
        "this process has not reached MongoDB for 16 s, but another does"
    )
    assert not other.is_cut_off


async def test_a_process_is_back_as_soon_as_it_reaches_mongodb() -> None:
    shared = FakeHeartbeatStore()
    one, other = Process(shared, is_reached=False), Process(shared)
    await advance(shared, 30, one, other)
    assert one.is_cut_off

    one.is_reached = True
    await one.heartbeat.beat_or_listen()

    assert not one.is_cut_off


@pytest.mark.parametrize("apart", range(5))
async def test_when_all_lose_mongodb_none_leaves_however_unequally_they_notice(apart: int) -> None:
    shared = FakeHeartbeatStore()
    processes = [Process(shared), Process(shared), Process(shared)]
    await advance(shared, 5, *processes)

    for each in processes:
        each.is_reached = False
        await advance(shared, apart / 2, *processes)

    for _ in range(120):
        await advance(shared, 1, *processes)
        assert not [each for each in processes if each.is_cut_off]


async def test_all_come_back_when_the_last_one_that_reached_mongodb_ends() -> None:
    shared = FakeHeartbeatStore()
    one, last = Process(shared, is_reached=False), Process(shared)
    await advance(shared, 30, one, last)
    assert one.is_cut_off

    await advance(shared, RECENT_SECONDS + 2, one)

    assert not one.is_cut_off


async def test_a_single_process_is_never_cut_off() -> None:
    shared = FakeHeartbeatStore()
    alone = Process(shared)
    await advance(shared, 5, alone)
    alone.is_reached = False

    await advance(shared, 60, alone)

    assert not alone.is_cut_off


async def test_a_heartbeat_that_never_expires_proves_nothing() -> None:
    shared = FakeHeartbeatStore(mark="0123456789abcdef:7")
    one = Process(shared, is_reached=False)

    await advance(shared, 60, one)

    assert not one.is_cut_off


async def test_without_redis_no_process_is_cut_off() -> None:
    shared = FakeHeartbeatStore()
    one, other = Process(shared, is_reached=False), Process(shared)
    await advance(shared, 30, one, other)
    assert one.is_cut_off
    shared.is_away = True

    await advance(shared, RECENT_SECONDS + 1, one, other)

    assert not one.is_cut_off


async def test_a_heartbeat_from_before_an_outage_of_redis_does_not_count_after_it() -> None:
    shared = FakeHeartbeatStore()
    one, other = Process(shared, is_reached=False), Process(shared)
    await advance(shared, 3, one, other)
    shared.is_away = True
    await advance(shared, 60, one)
    shared.is_away, shared.mark = False, "0123456789abcdef:9"

    await advance(shared, 60, one)

    assert not one.is_cut_off


async def test_a_process_that_reaches_mongodb_reads_no_heartbeats() -> None:
    shared = FakeHeartbeatStore()
    one = Process(shared)

    await advance(shared, 10, one)

    assert shared.read_count == 0


async def test_a_process_that_does_not_serve_writes_no_heartbeats() -> None:
    shared = FakeHeartbeatStore()
    one, other = Process(shared, is_reached=False), Process(shared, is_serving=False)
    await advance(shared, 60, one, other)
    assert shared.mark is None

    other.is_serving = True
    await advance(shared, 5, one, other)
    assert one.is_cut_off

    other.is_serving = False
    await advance(shared, RECENT_SECONDS + 2, one, other)
    assert not one.is_cut_off, "the other stops"


async def test_one_late_heartbeat_proves_nothing() -> None:
    shared = FakeHeartbeatStore()
    one, other = Process(shared), Process(shared)
    await advance(shared, 5, one, other)
    one.is_reached = other.is_reached = False
    await advance(shared, 13, one, other)
    shared.mark = "0123456789abcdef:9"

    for _ in range(30):
        await advance(shared, 1, one, other)
        assert not one.is_cut_off
        assert not other.is_cut_off


async def test_heartbeats_far_apart_prove_nothing() -> None:
    shared = FakeHeartbeatStore(mark="0123456789abcdef:0")
    one = Process(shared, is_reached=False)

    for count in range(1, 10):
        await advance(shared, RECENT_SECONDS + 2, one)
        shared.mark = f"0123456789abcdef:{count}"
        await advance(shared, 1, one)
        assert not one.is_cut_off


async def test_its_own_earlier_heartbeat_does_not_count() -> None:
    shared = FakeHeartbeatStore()
    one = Process(shared)
    await advance(shared, 5, one)
    own, one.is_reached = shared.mark, False
    await advance(shared, 15, one)

    for mark in ("0123456789abcdef:9", own, "0123456789abcdef:10", own):
        shared.mark = mark
        await advance(shared, 1, one)

        assert not one.is_cut_off


async def test_a_change_while_the_process_was_suspended_does_not_count() -> None:
    shared = FakeHeartbeatStore(mark="0123456789abcdef:1")
    one = Process(shared, is_reached=False)
    await advance(shared, 16, one)

    for count in range(2, 6):
        shared.seconds += 60
        shared.mark = f"0123456789abcdef:{count}"
        await advance(shared, 1, one)

        assert not one.is_cut_off
