"""What needs an operator: clocks that differ, in words that say which one is wrong by how much."""

from datetime import timedelta

import pytest

from gcsched.web.console.needs import find_clocks
from gcsched.web.console.own_process import OwnProcess

NONE = timedelta(0)


def a_process(mongodb: timedelta, redis: timedelta) -> OwnProcess:
    """Build a process before whose clock that of MongoDB is, and Redis's before MongoDB's."""
    return OwnProcess(
        name="test",
        claimed_jobs=lambda: 0,
        loop_lag=lambda: 0.0,
        repairs=dict,
        clock_offset=lambda: mongodb,
        redis_clock_offset=lambda: redis,
        expiries=tuple,
        find_greeting=lambda _: None,
    )


@pytest.mark.parametrize(
    ("mongodb", "redis", "titles"),
    [
        (NONE, NONE, []),
        (timedelta(seconds=2.5), NONE, ["The clock of this machine is 2.5 s behind MongoDB's"]),
        (timedelta(seconds=-9), NONE, ["The clock of this machine is 9.0 s ahead of MongoDB's"]),
        (NONE, timedelta(minutes=1), ["The clock of Redis is 60.0 s ahead of MongoDB's"]),
        (NONE, timedelta(seconds=-1), ["The clock of Redis is 1.0 s behind MongoDB's"]),
    ],
)
def test_a_clock_that_differs_needs_someone(
    mongodb: timedelta, redis: timedelta, titles: list[str]
) -> None:
    found = list(find_clocks(a_process(mongodb, redis)))

    assert [each.title for each in found] == titles
    assert all(each.text.endswith("have NTP correct both") for each in found)
