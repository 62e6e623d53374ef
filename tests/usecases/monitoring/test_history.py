"""The recorder of the history: what it makes of a minute, and what it keeps while it must."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from structlog.testing import capture_logs

from gcsched.domain.history import HistoryFigures, HistoryShare, HistoryStep, find_history_bucket
from gcsched.errors import StoreUnavailable
from gcsched.usecases.monitoring.history import MAX_WAITING, EventCounts, HistoryRecorder
from gcsched.usecases.monitoring.read_history import HistorySpan, ReadHistory
from tests.support.builders import NOW, FixedClock
from tests.support.clocks import FakeMonotonicClock
from tests.support.log_events import find_events

MINUTE = timedelta(minutes=1)
START = NOW.replace(second=0, microsecond=0)


@dataclass
class AwayStore:
    """A store that can be away; it keeps the shares that it took."""

    is_away: bool = False
    shares: list[HistoryShare] = field(default_factory=list)
    reads: int = 0

    async def add(self, share: HistoryShare) -> None:
        if self.is_away:
            raise StoreUnavailable("adding to the history")
        self.shares.append(share)

    async def read(
        self, step: HistoryStep, *, from_time: datetime, before_time: datetime
    ) -> Sequence[HistoryFigures]:
        if self.is_away:
            raise StoreUnavailable("reading the history")
        self.reads += 1
        return [HistoryFigures(start=from_time), HistoryFigures(start=before_time - step.length)]


def a_recorder(
    store: AwayStore, clock: FixedClock, events: EventCounts | None = None
) -> HistoryRecorder:
    return HistoryRecorder(
        events=events or EventCounts(),
        store=store,
        oldest_due=lambda: timedelta(seconds=2),
        now=clock,
    )


async def test_a_share_has_what_happened_in_its_minute() -> None:
    store, clock, events = AwayStore(), FixedClock(START), EventCounts()
    recorder = a_recorder(store, clock, events)
    events.attempts["ACCEPTED"] += 2
    events.admissions["created"] += 1
    events.add_lateness([timedelta(seconds=0.3), timedelta(seconds=0.3)])

    clock.now += MINUTE
    recorder.end_minute()
    events.attempts["POLICY"] += 1
    clock.now += MINUTE
    recorder.end_minute()
    await recorder.flush()

    first, second = (each.figures for each in store.shares)
    assert first == HistoryFigures(
        start=START,
        attempts={"ACCEPTED": 2},
        admissions={"created": 1},
        lateness={find_history_bucket(timedelta(seconds=0.3)): 2},
        oldest_due=timedelta(seconds=2),
    )
    assert (second.start, second.attempts, second.lateness) == (START + MINUTE, {"POLICY": 1}, {})
    assert [each.number for each in store.shares] == [1, 2]


async def test_shares_wait_while_the_store_is_away_and_are_stored_in_their_order() -> None:
    store, clock = AwayStore(is_away=True), FixedClock(START)
    recorder = a_recorder(store, clock)
    for _ in range(3):
        clock.now += MINUTE
        recorder.end_minute()
        await recorder.flush()

    store.is_away = False
    await recorder.flush()
    await recorder.flush()

    assert [each.figures.start for each in store.shares] == [START + n * MINUTE for n in range(3)]


async def test_beyond_six_hours_the_oldest_shares_are_dropped() -> None:
    store, clock = AwayStore(is_away=True), FixedClock(START)
    recorder = a_recorder(store, clock)
    with capture_logs() as events:
        for _ in range(MAX_WAITING + 2):
            clock.now += MINUTE
            recorder.end_minute()

    store.is_away = False
    for _ in range(4):
        await recorder.flush()

    assert len(store.shares) == MAX_WAITING
    assert store.shares[0].figures.start == START + 2 * MINUTE
    dropped = [each["minute"] for each in find_events(events, "history dropped")]
    assert dropped == [START, START + MINUTE]


async def test_at_the_stop_the_minute_so_far_is_stored() -> None:
    store, events, stop = AwayStore(), EventCounts(), asyncio.Event()
    recorder = a_recorder(store, FixedClock(START), events)
    events.attempts["ACCEPTED"] += 1
    asyncio.get_running_loop().call_soon(stop.set)

    await recorder.run(stop)

    [share] = store.shares
    assert (share.figures.start, share.figures.attempts) == (START, {"ACCEPTED": 1})


async def test_the_history_is_read_at_most_once_in_five_seconds() -> None:
    store, clock, monotonic = AwayStore(), FixedClock(NOW), FakeMonotonicClock(100.0)
    history = ReadHistory(store=store, now=clock, clock=monotonic)

    for monotonic.now in (100.0, 104.0, 106.0):
        await asyncio.gather(*(history.read(HistorySpan.HOUR) for _ in range(5)))

    assert store.reads == 2


async def test_an_hour_ends_with_the_last_full_minute_and_a_week_with_the_present_hour() -> None:
    history = ReadHistory(store=AwayStore(), now=FixedClock(NOW))

    hour, week = [await history.read(span) for span in (HistorySpan.HOUR, HistorySpan.WEEK)]

    assert (len(hour.starts), hour.starts[-1]) == (60, START - MINUTE)
    assert (len(week.starts), week.starts[-1]) == (168, NOW.replace(minute=0, second=0))
