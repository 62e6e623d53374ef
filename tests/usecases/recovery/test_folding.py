"""When addresses are folded, and what is logged of it; the store only counts."""

import asyncio
from dataclasses import dataclass, field

from structlog.testing import capture_logs

from gcsched.errors import StoreUnavailable
from gcsched.usecases.ports import AddressStore, FoldedPage
from gcsched.usecases.recovery import folding
from gcsched.usecases.recovery.folding import Folding
from tests.support.background import MAX_TEST_SECONDS

NOTHING = FoldedPage(count=0, failed=0, last=None)


@dataclass
class CountingStore:
    """Pages of jobs to fill; records the calls."""

    pages: list[FoldedPage] = field(default_factory=list)
    erased: list[int] = field(default_factory=list)
    has_index: bool = True
    failures: int = 0
    checked: list[FoldedPage] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)

    async def fill(self, kind: AddressStore, after: str, *, most: int) -> FoldedPage | None:
        self.calls.append(f"fill {kind} after {after!r}")
        if self.failures:
            self.failures -= 1
            raise StoreUnavailable("folding addresses")
        assert most == folding.MAX_BATCH_SIZE
        if not self.has_index:
            return None
        return self.pages.pop(0) if kind is AddressStore.JOBS and self.pages else NOTHING

    async def check(self, kind: AddressStore, after: str, *, most: int) -> FoldedPage:
        self.calls.append(f"check {kind} after {after!r} most {most}")
        is_of_recipients = kind is AddressStore.RECIPIENTS and self.checked
        return self.checked.pop(0) if is_of_recipients else NOTHING

    def checks(self) -> list[str]:
        """Return which pages were checked since the last call."""
        made = [each.partition(" most ")[0] for each in self.calls if each.startswith("check")]
        self.calls.clear()
        return made

    async def clear_erased(self, *, most: int) -> int:
        self.calls.append("erased")
        return min(most, self.erased.pop(0)) if self.erased else 0


async def test_suppressions_are_folded_first_and_pages_in_order() -> None:
    pages = [FoldedPage(count=500, failed=0, last="b"), FoldedPage(count=3, failed=0, last=None)]
    store = CountingStore(pages=pages)

    await Folding(store=store).fold()

    fills = [each for each in store.calls if each.startswith("fill")]
    assert fills == [
        "fill suppressions after ''",
        "fill recipients after ''",
        "fill jobs after ''",
        "fill jobs after 'b'",
    ]


async def test_it_rests_as_long_as_a_page_took_up_to_a_limit() -> None:
    of_others, of_jobs = [0.0, 0.0], [0.0, 0.25, 10.0, 70.0, 80.0]
    moments, rests = iter([*of_others, *of_jobs]), list[float]()

    async def rest(seconds: float) -> None:
        rests.append(seconds)

    pages = [FoldedPage(count=500, failed=0, last=each) for each in "ab"]
    store = CountingStore(pages=pages)

    await Folding(store=store, rest=rest, clock=lambda: next(moments)).fold()

    assert rests == [0.25, folding.MAX_REST_SECONDS]


async def test_folded_addresses_are_logged_once() -> None:
    store = CountingStore(pages=[FoldedPage(count=7, failed=2, last=None)] * 2)
    going = Folding(store=store)

    with capture_logs() as logs:
        await going.fold()
        await going.fold()

    [reported] = logs
    assert reported == {
        "event": "addresses folded",
        "collection": "jobs",
        "count": 7,
        "left": 2,
        "log_level": "info",
    }


async def test_nothing_is_logged_where_nothing_was_missing() -> None:
    with capture_logs() as logs:
        await Folding(store=CountingStore()).fold()

    assert logs == []


async def test_erased_jobs_are_emptied_until_none_is_left() -> None:
    store = CountingStore(erased=[folding.MAX_BATCH_SIZE, folding.MAX_BATCH_SIZE, 3])

    await Folding(store=store).fold()

    assert store.calls.count("erased") == 3


async def test_wrong_values_are_looked_for_once() -> None:
    store = CountingStore(checked=[FoldedPage(count=1, failed=0, last="E500"), NOTHING])
    going = Folding(store=store)
    rounds = []

    for _ in range(4):
        await going.fold()
        rounds.append(store.checks())

    assert rounds == [
        ["check suppressions after ''", "check recipients after ''"],
        ["check recipients after 'E500'"],
        [],
        [],
    ]


async def test_values_are_checked_once_more_after_one_was_missing() -> None:
    filled, more = (
        FoldedPage(count=1, failed=0, last=None),
        FoldedPage(count=0, failed=0, last="E500"),
    )
    store = CountingStore(pages=[filled, filled], checked=[more, more])
    going = Folding(store=store)
    rounds = []

    for _ in range(5):
        await going.fold()
        rounds.append([each for each in store.checks() if "recipients" in each])

    assert rounds == [
        ["check recipients after ''"],
        ["check recipients after 'E500'"],
        ["check recipients after 'E500'"],
        ["check recipients after ''"],
        [],
    ]


async def test_a_document_that_cannot_be_filled_causes_no_further_check() -> None:
    unreadable = FoldedPage(count=0, failed=3, last=None)
    store = CountingStore(pages=[unreadable] * 3)
    going = Folding(store=store)

    await going.fold()
    store.calls.clear()
    await going.fold()

    assert store.checks() == []


async def test_addresses_folded_once_the_index_exists_are_logged() -> None:
    store = CountingStore(pages=[FoldedPage(count=7, failed=0, last=None)], has_index=False)
    going = Folding(store=store)

    with capture_logs() as logs:
        await going.fold()
        before = list(logs)
        store.has_index = True
        await going.fold()

    assert before == []
    assert [(each["event"], each["count"]) for each in logs] == [("addresses folded", 7)]


async def test_a_store_that_is_away_is_logged_once_and_tried_again() -> None:
    store, stop = CountingStore(failures=3), asyncio.Event()
    going = Folding(store=store)

    with capture_logs() as logs:
        for _ in range(4):
            await going.try_fold()
        stop.set()
        async with asyncio.timeout(MAX_TEST_SECONDS):
            await going.run(stop)

    assert [each["event"] for each in logs] == [
        "address folding failed, retrying",
        "address folding resumed",
    ]
    assert "fill jobs after ''" in store.calls
