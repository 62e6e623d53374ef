"""A process that does not end by itself is aborted."""

import time

from gcsched.process.watchdog import EXIT_FAILURE, Watchdog
from tests.support.wait import until


def a_watchdog(ends: list[object]) -> Watchdog:
    dog = Watchdog(before_exit=lambda: ends.append("last act"), end=ends.append)
    dog.start()
    return dog


async def test_it_ends_the_process_after_before_exit() -> None:
    ends: list[object] = []

    a_watchdog(ends).arm(0.05, "it hangs")

    await until(lambda: len(ends) == 2)
    assert ends == ["last act", EXIT_FAILURE]


async def test_the_earliest_deadline_counts() -> None:
    ends: list[object] = []
    dog = a_watchdog(ends)
    begun = time.monotonic()

    for seconds in (60, 0.2, 30):
        dog.arm(seconds, "it hangs")

    await until(lambda: len(ends) == 2)
    assert 0.2 <= time.monotonic() - begun < 5
