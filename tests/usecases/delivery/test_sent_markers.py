import asyncio
from collections.abc import Collection, Sequence

import pytest

from gcsched.errors import RedisUnavailable
from gcsched.usecases.delivery.sent_markers import SentMarkers
from gcsched.usecases.ports import Conclusion
from tests.support.background import in_background
from tests.support.builders import a_claimed_job, a_conclusion, an_attempt
from tests.support.wait import until

Mark = tuple[str, str]


class FakeSentMarkerStore:
    """Stores markers as Redis does; can be away or slow."""

    def __init__(self) -> None:
        self.kept: set[Mark] = set()
        self.writes: list[tuple[str, list[Mark]]] = []
        self.commands = 0
        self.is_away = False
        self.gate = asyncio.Event()
        self.gate.set()

    async def write(self, *, added: Sequence[Mark] = (), removed: Sequence[Mark] = ()) -> None:
        self.commands += 1
        named = (("note", added), ("forget", removed))
        self.writes += [(what, list(markers)) for what, markers in named if markers]
        await self.gate.wait()
        if self.is_away:
            raise RedisUnavailable("noting accepted mails", "no answer")
        self.kept = self.kept.union(added).difference(removed)

    async def find(self, markers: Sequence[Mark]) -> Collection[Mark]:
        return self.kept & set(markers)


@pytest.fixture
async def store() -> FakeSentMarkerStore:
    return FakeSentMarkerStore()


@pytest.fixture
def markers(store: FakeSentMarkerStore) -> SentMarkers:
    return SentMarkers(store)


def conclusion(number: int) -> Conclusion:
    job = a_claimed_job(id=f"job-{number}").sent(an_attempt())
    return a_conclusion(job, claim=f"claim-{number}")


async def test_a_marker_is_stored_under_job_and_claim(
    store: FakeSentMarkerStore, markers: SentMarkers
) -> None:
    async with in_background(markers.run):
        markers.add(conclusion(1))
        await until(lambda: store.kept)

    assert store.kept == {("job-1", "claim-1")}


async def test_markers_that_arrive_together_share_a_write(
    store: FakeSentMarkerStore, markers: SentMarkers
) -> None:
    async with in_background(markers.run):
        for number in range(3):
            markers.add(conclusion(number))
        await until(lambda: store.kept)

    noted = [("job-0", "claim-0"), ("job-1", "claim-1"), ("job-2", "claim-2")]
    assert store.writes == [("note", noted)]


async def test_a_marker_is_removed_once_the_outcome_is_stored(
    store: FakeSentMarkerStore, markers: SentMarkers
) -> None:
    async with in_background(markers.run):
        markers.add(conclusion(1))
        await until(lambda: store.kept)
        markers.remove([conclusion(1)])
        await until(lambda: not store.kept)

    assert [what for what, _ in store.writes] == ["note", "forget"]


async def test_markers_to_add_and_to_remove_share_a_command(
    store: FakeSentMarkerStore, markers: SentMarkers
) -> None:
    async with in_background(markers.run):
        markers.add(conclusion(1))
        await until(lambda: store.kept)
        markers.remove([conclusion(1)])
        markers.add(conclusion(2))
        await until(lambda: ("job-2", "claim-2") in store.kept)

    assert store.kept == {("job-2", "claim-2")}
    assert store.commands == 2


async def test_a_marker_removed_before_its_write_is_never_written(
    store: FakeSentMarkerStore, markers: SentMarkers
) -> None:
    markers.add(conclusion(1))
    markers.add(conclusion(2))
    markers.remove([conclusion(1)])

    async with in_background(markers.run):
        await until(lambda: store.kept)

    assert store.writes == [("note", [("job-2", "claim-2")])]


async def test_a_marker_removed_during_its_write_is_removed_afterwards(
    store: FakeSentMarkerStore, markers: SentMarkers
) -> None:
    store.gate.clear()

    async with in_background(markers.run):
        markers.add(conclusion(1))
        await until(lambda: store.writes)
        markers.remove([conclusion(1)])
        store.gate.set()
        await until(lambda: len(store.writes) == 2 and not store.kept)

    assert [what for what, _ in store.writes] == ["note", "forget"]


async def test_a_failed_write_of_markers_is_not_retried(
    store: FakeSentMarkerStore, markers: SentMarkers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gcsched.usecases.delivery.sent_markers.BACK_OFF_SECONDS", 0.02)
    store.is_away = True

    async with in_background(markers.run):
        markers.add(conclusion(1))
        await until(lambda: store.writes)
        markers.add(conclusion(2))
        store.is_away = False
        await until(lambda: store.kept)

    assert store.writes == [("note", [("job-1", "claim-1")]), ("note", [("job-2", "claim-2")])]
    assert store.kept == {("job-2", "claim-2")}


async def test_a_stop_does_not_wait_for_a_store_that_is_away(
    store: FakeSentMarkerStore, markers: SentMarkers
) -> None:
    store.is_away = True
    loop = asyncio.get_running_loop()
    started = loop.time()

    async with in_background(markers.run):
        markers.add(conclusion(1))
        await until(lambda: store.writes)

    assert loop.time() - started < 0.9


async def test_no_more_markers_wait_than_the_limit(
    store: FakeSentMarkerStore, markers: SentMarkers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gcsched.usecases.delivery.sent_markers.MAX_WAITING", 2)
    for number in range(4):
        markers.add(conclusion(number))
    for number in range(10, 14):
        markers.remove([conclusion(number)])

    async with in_background(markers.run):
        await until(lambda: len(store.writes) == 2)

    assert store.writes == [
        ("note", [("job-0", "claim-0"), ("job-1", "claim-1")]),
        ("forget", [("job-10", "claim-10"), ("job-11", "claim-11")]),
    ]


async def test_markers_that_wait_at_the_stop_are_written(
    store: FakeSentMarkerStore, markers: SentMarkers
) -> None:
    async with in_background(markers.run):
        markers.add(conclusion(1))

    assert store.kept == {("job-1", "claim-1")}


async def test_settling_waits_for_the_markers_added_before(
    store: FakeSentMarkerStore, markers: SentMarkers
) -> None:
    async with in_background(markers.run):
        await markers.settle()
        markers.add(conclusion(1))
        await markers.settle()

        assert store.kept == {("job-1", "claim-1")}


@pytest.mark.usefixtures("patient")
async def test_settling_waits_for_a_write_in_progress_and_for_no_later_one(
    store: FakeSentMarkerStore, markers: SentMarkers
) -> None:
    store.gate.clear()
    async with in_background(markers.run):
        markers.add(conclusion(1))
        await until(lambda: store.writes)
        settling = asyncio.create_task(markers.settle())
        await asyncio.wait({settling}, timeout=0.02)
        markers.add(conclusion(2))
        is_early = settling.done()
        store.gate.set()
        await settling

        assert not is_early
        assert ("job-1", "claim-1") in store.kept


async def test_settling_does_not_wait_for_a_slow_store_twice(
    store: FakeSentMarkerStore, markers: SentMarkers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gcsched.usecases.delivery.sent_markers.SETTLE_SECONDS", 0.2)
    time = asyncio.get_running_loop().time
    store.gate.clear()
    async with in_background(markers.run):
        markers.add(conclusion(1))
        started = time()
        await markers.settle()
        after_first = time()
        await markers.settle()
        after_second = time()
        store.gate.set()
        await until(lambda: store.kept)
        markers.add(conclusion(2))
        await markers.settle()

        assert 0.2 <= after_first - started < 2
        assert after_second - after_first < 0.2
        assert ("job-2", "claim-2") in store.kept, "a store that answers again is waited for"


@pytest.mark.usefixtures("patient")
async def test_settling_does_not_wait_for_a_store_that_is_away(
    store: FakeSentMarkerStore, markers: SentMarkers
) -> None:
    store.is_away = True
    time = asyncio.get_running_loop().time
    async with in_background(markers.run):
        markers.add(conclusion(1))
        await markers.settle()
        markers.add(conclusion(2))
        started = time()
        await markers.settle()

        assert time() - started < 1


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make settling wait longer than a test takes."""
    monkeypatch.setattr("gcsched.usecases.delivery.sent_markers.SETTLE_SECONDS", 30.0)
