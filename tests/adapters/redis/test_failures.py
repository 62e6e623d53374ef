"""Failures of Redis that are remembered, and texts of Redis that are not repeated."""

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


async def test_a_failure_is_reported_until_the_same_action_succeeds() -> None:
    failures = remember_failures()
    assert failures.problem is None

    fail("enqueuing a wake-up")
    succeed("reserving a slot")
    assert str(failures.problem).startswith("failed while enqueuing a wake-up: ConnectionRefused")

    succeed("enqueuing a wake-up")
    assert failures.problem is None


async def test_the_latest_of_several_failures_is_reported_and_each_must_succeed() -> None:
    failures = remember_failures()
    fail("enqueuing a wake-up")
    fail("reserving a slot")
    assert (failures.problem or "").startswith("failed while reserving a slot")

    succeed("reserving a slot")
    assert (failures.problem or "").startswith("failed while enqueuing a wake-up")


def test_a_failure_that_is_not_tried_again_is_forgotten_after_a_while() -> None:
    clock = FakeMonotonicClock()
    failures = RedisFailures(clock=clock)
    failures.record_failure("enqueuing a wake-up", "no answer")

    clock.now += RETENTION_SECONDS - 0.1
    assert failures.problem is not None
    clock.now += 0.2
    assert failures.problem is None


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (
            "ERR unknown command 'PSETEX', with args beginning with: 'arq:job' '8' '\x80\x04' ",
            "unknown command 'PSETEX'",
        ),
        ("ERR unknown command 'X', with args beginning with: '\n\n' ", "unknown command 'X'"),
        ("READONLY You can't write against a replica.", "You can't write against a replica."),
    ],
)
def test_an_error_of_redis_does_not_repeat_the_arguments(answer: str, expected: str) -> None:
    assert str(LimitedParser.parse_error(answer)) == expected
