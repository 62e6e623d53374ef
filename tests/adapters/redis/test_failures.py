"""Which failures of Redis are remembered, and what a text of Redis may repeat."""

import pytest

from gcsched.adapters.redis.connection import bell_errors
from gcsched.adapters.redis.failures import REMEMBERED_SECONDS, RedisFailures, remember_failures
from gcsched.adapters.redis.replies import LimitedParser
from gcsched.errors import BellUnavailable
from tests.support.clocks import Seconds


def fail(doing: str) -> None:
    with pytest.raises(BellUnavailable), bell_errors(doing):
        raise ConnectionRefusedError


def succeed(doing: str) -> None:
    with bell_errors(doing):
        pass


async def test_what_failed_is_told_until_the_same_succeeds() -> None:
    failures = remember_failures()
    assert failures.trouble is None

    fail("ringing the bell")
    succeed("asking for a slot")
    assert str(failures.trouble).startswith("failed while ringing the bell: ConnectionRefused")

    succeed("ringing the bell")
    assert failures.trouble is None


async def test_of_several_the_latest_is_told_and_each_must_succeed() -> None:
    failures = remember_failures()
    fail("ringing the bell")
    fail("asking for a slot")
    assert (failures.trouble or "").startswith("failed while asking for a slot")

    succeed("asking for a slot")
    assert (failures.trouble or "").startswith("failed while ringing the bell")


def test_what_is_not_tried_again_is_forgotten_after_a_while() -> None:
    clock = Seconds()
    failures = RedisFailures(clock=clock)
    failures.failed("ringing the bell", "no answer")

    clock.now += REMEMBERED_SECONDS - 0.1
    assert failures.trouble is not None
    clock.now += 0.2
    assert failures.trouble is None


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
