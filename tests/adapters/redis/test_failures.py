"""Which failures of Redis are remembered, and what a text of Redis may repeat."""

import pytest

from gcsched.adapters.redis.connection import redis_errors
from gcsched.adapters.redis.failures import RETENTION_SECONDS, RedisFailures, remember_failures
from gcsched.adapters.redis.replies import LimitedParser
from gcsched.errors import RedisUnavailable
from tests.support.clocks import FakeMonotonicClock


def fail(doing: str) -> None:
    with pytest.raises(RedisUnavailable), redis_errors(doing):
        raise ConnectionRefusedError


def succeed(doing: str) -> None:
    with redis_errors(doing):
        pass


async def test_what_failed_is_told_until_the_same_succeeds() -> None:
    failures = remember_failures()
    assert failures.problem is None

    fail("ringing the bell")
    succeed("asking for a slot")
    assert str(failures.problem).startswith("failed while ringing the bell: ConnectionRefused")

    succeed("ringing the bell")
    assert failures.problem is None


async def test_of_several_the_latest_is_told_and_each_must_succeed() -> None:
    failures = remember_failures()
    fail("ringing the bell")
    fail("asking for a slot")
    assert (failures.problem or "").startswith("failed while asking for a slot")

    succeed("asking for a slot")
    assert (failures.problem or "").startswith("failed while ringing the bell")


def test_what_is_not_tried_again_is_forgotten_after_a_while() -> None:
    clock = FakeMonotonicClock()
    failures = RedisFailures(clock=clock)
    failures.record_failure("ringing the bell", "no answer")

    clock.now += RETENTION_SECONDS - 0.1
    assert failures.problem is not None
    clock.now += 0.2
    assert failures.problem is None


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (
            "ERR unknown command 'PSETEX', with args beginning with: 'arq:job' '8' '\x80\x04' ",
            "unknown command 'PSETEX'",
        ),
        ("ERR unknown command 'X', with args beginning with: '\n\n' ", "unknown command 'X'"),
        ("READONLY You can't write against a replica.", "You can't write against a replica."),
    ],
)
def test_an_error_of_redis_does_not_repeat_what_it_was_sent(answer: str, told: str) -> None:
    assert str(LimitedParser.parse_error(answer)) == told
