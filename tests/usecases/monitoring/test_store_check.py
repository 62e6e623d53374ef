import asyncio

from gcsched.errors import StoreUnavailable
from gcsched.usecases.monitoring.store_check import NOT_CHECKED, StoreCheck
from tests.support.background import in_background
from tests.support.clocks import FakeMonotonicClock
from tests.support.wait import until


class FakeStore:
    """Answers, fails or hangs, as a test sets it."""

    def __init__(self) -> None:
        self.is_away = False
        self.answers = asyncio.Event()
        self.answers.set()
        self.ping_count = 0

    async def ping(self) -> None:
        self.ping_count += 1
        await self.answers.wait()
        if self.is_away:
            raise StoreUnavailable("looking for it", why="connection refused")


async def test_before_the_first_answer_there_is_a_problem() -> None:
    assert StoreCheck(name="toy", ping=FakeStore().ping).problem == NOT_CHECKED


async def test_the_latest_answer_counts() -> None:
    store = FakeStore()
    check = StoreCheck(name="toy", ping=store.ping)
    await check.check()
    assert check.problem is None

    store.is_away = True
    await check.check()
    assert check.problem == "away: connection refused"

    store.is_away = False
    await check.check()
    assert check.problem is None


async def test_a_silent_store_has_a_problem_after_a_second_and_is_pinged_once() -> None:
    store, clock = FakeStore(), FakeMonotonicClock(0.0)
    check = StoreCheck(name="toy", ping=store.ping, clock=clock)
    await check.check()
    store.answers.clear()

    async with in_background(check.run):
        await until(lambda: store.ping_count == 2)
        clock.now = 0.9
        assert check.problem is None
        clock.now = 7.0
        assert check.problem == "no answer for 7 s"
        assert store.ping_count == 2
        store.answers.set()
        await until(lambda: check.problem is None)
