import asyncio

from gcsched.errors import StoreUnavailable
from gcsched.usecases.monitoring.store_check import NOT_ASKED, Watch
from tests.support.background import in_background
from tests.support.clocks import Seconds
from tests.support.wait import until


class Store:
    """Answers, fails or hangs, as it is told."""

    def __init__(self) -> None:
        self.is_away = False
        self.answers = asyncio.Event()
        self.answers.set()
        self.asked = 0

    async def ping(self) -> None:
        self.asked += 1
        await self.answers.wait()
        if self.is_away:
            raise StoreUnavailable("looking for it", why="connection refused")


async def test_before_the_first_answer_nobody_says_that_all_is_well() -> None:
    assert Watch(name="toy", ask=Store().ping).trouble == NOT_ASKED


async def test_the_latest_answer_counts() -> None:
    store = Store()
    watch = Watch(name="toy", ask=store.ping)
    await watch.look()
    assert watch.trouble is None

    store.is_away = True
    await watch.look()
    assert watch.trouble == "away: connection refused"

    store.is_away = False
    await watch.look()
    assert watch.trouble is None


async def test_one_that_is_silent_is_in_trouble_after_a_second_and_asked_only_once() -> None:
    store, clock = Store(), Seconds(0.0)
    watch = Watch(name="toy", ask=store.ping, clock=clock)
    await watch.look()
    store.answers.clear()

    async with in_background(watch.run):
        await until(lambda: store.asked == 2)
        clock.now = 0.9
        assert watch.trouble is None
        clock.now = 7.0
        assert watch.trouble == "no answer for 7 s"
        assert store.asked == 2
        store.answers.set()
        await until(lambda: watch.trouble is None)
