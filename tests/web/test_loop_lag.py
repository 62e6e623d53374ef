import time

from gcsched.web.loop_lag import MEASURE_INTERVAL_SECONDS, LoopLag
from tests.support.background import in_background
from tests.support.wait import until


async def test_a_blocked_loop_is_measured_as_late() -> None:
    seen: list[float] = []

    async with in_background(LoopLag(observe=seen.append).run):
        await until(lambda: seen)
        hold_up = time.monotonic() + MEASURE_INTERVAL_SECONDS + 0.2
        while time.monotonic() < hold_up:
            pass
        await until(lambda: max(seen) >= 0.2)

    assert min(seen) >= 0
