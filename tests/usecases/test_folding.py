"""When addresses are folded, and what is told of it; the store only counts."""

import asyncio
from dataclasses import dataclass, field

from structlog.testing import capture_logs

from gcsched.errors import StoreUnavailable
from gcsched.usecases import folding
from gcsched.usecases.folding import AddressStore, FoldedPage, Folding
from tests.builders import LONGEST_TEST_SECONDS

NOTHING = FoldedPage(count=0, left=0, last=None)


@dataclass
class CountingStore:
    """Has pages of jobs to fill, and writes down what it is asked for."""

    pages: list[FoldedPage] = field(default_factory=list)
    erased: list[int] = field(default_factory=list)
    failures: int = 0
    calls: list[str] = field(default_factory=list)

    async def fill(self, kind: AddressStore, after: str, *, most: int) -> FoldedPage:
        self.calls.append(f"fill {kind} after {after!r}")
        if self.failures:
            self.failures -= 1
            raise StoreUnavailable("folding addresses")
        assert most == folding.MOST_AT_ONCE
        return self.pages.pop(0) if kind is AddressStore.JOBS and self.pages else NOTHING

    async def check(self, kind: AddressStore, after: str, *, most: int) -> FoldedPage:
        self.calls.append(f"check {kind} after {after!r} most {most}")
        return NOTHING

    async def empty_erased(self, *, most: int) -> int:
        self.calls.append("erased")
        return min(most, self.erased.pop(0)) if self.erased else 0


async def test_suppressions_come_first_and_each_page_follows_the_one_before() -> None:
    pages = [FoldedPage(count=500, left=0, last="b"), FoldedPage(count=3, left=0, last=None)]
    store = CountingStore(pages=pages)

    await Folding(store=store).fold()

    fills = [each for each in store.calls if each.startswith("fill")]
    assert fills == [
        "fill suppressions after ''",
        "fill recipients after ''",
        "fill jobs after ''",
        "fill jobs after 'b'",
    ]


async def test_it_rests_as_long_as_a_page_took_but_not_for_ever() -> None:
    of_others, of_jobs = [0.0, 0.0], [0.0, 0.25, 10.0, 70.0, 80.0]
    moments, rests = iter([*of_others, *of_jobs]), list[float]()

    async def rest(seconds: float) -> None:
        rests.append(seconds)

    pages = [FoldedPage(count=500, left=0, last=each) for each in "ab"]
    store = CountingStore(pages=pages)

    await Folding(store=store, rest=rest, clock=lambda: next(moments)).fold()

    assert rests == [0.25, folding.LONGEST_REST_SECONDS]


async def test_what_was_filled_is_told_once() -> None:
    store = CountingStore(pages=[FoldedPage(count=7, left=2, last=None)] * 2)
    going = Folding(store=store)

    with capture_logs() as logs:
        await going.fold()
        await going.fold()

    [told] = logs
    assert told == {
        "event": "addresses folded",
        "collection": "jobs",
        "count": 7,
        "left": 2,
        "log_level": "info",
    }


async def test_nothing_is_told_where_nothing_was_missing() -> None:
    with capture_logs() as logs:
        await Folding(store=CountingStore()).fold()

    assert logs == []


async def test_erased_jobs_are_emptied_until_none_is_left() -> None:
    store = CountingStore(erased=[folding.MOST_AT_ONCE, folding.MOST_AT_ONCE, 3])

    await Folding(store=store).fold()

    assert store.calls.count("erased") == 3


async def test_a_store_that_is_away_is_told_once_and_tried_again() -> None:
    store, stop = CountingStore(failures=3), asyncio.Event()
    going = Folding(store=store)

    with capture_logs() as logs:
        for _ in range(4):
            await going.guarded()
        stop.set()
        async with asyncio.timeout(LONGEST_TEST_SECONDS):
            await going.run(stop)

    assert [each["event"] for each in logs] == ["folding addresses waits"]
    assert "fill jobs after ''" in store.calls
