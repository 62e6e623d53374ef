"""Callers get the descriptors that stores and relays leave."""

import pytest

from gcsched.config.settings import read_settings
from gcsched.process.descriptors import RESERVED, divide_descriptors
from gcsched.wiring.capacity import count_connections
from tests.support.service_process import environment


@pytest.mark.parametrize(
    ("limit", "http", "grpc", "is_short"),
    [
        (1_048_576, 100, 2_000, False),
        (4_096, 100, 2_000, False),
        (1_024, 100, 724, False),
        (400, 50, 150, False),
        (300, 25, 75, True),
        (100, 8, 16, True),
    ],
)
def test_callers_share_the_remaining_descriptors(
    limit: int, http: int, grpc: int, *, is_short: bool
) -> None:
    found = divide_descriptors(limit, needed=200 - RESERVED)

    assert (found.http, found.grpc, found.is_short) == (http, grpc, is_short)


def test_more_sessions_and_a_second_relay_need_more() -> None:
    other = {"fallback_smtp_host": "127.0.0.1", "fallback_smtp_port": "465"}

    def count_needed(sessions: str, **others: str) -> int:
        mongo, redis = "mongodb://a/x", "redis://a/0"
        given = environment(
            mongo=mongo, redis=redis, relay_port=25, smtp_sessions=sessions, **others
        )
        return count_connections(read_settings(given))

    # A session may reserve a slot in Redis while it holds its connection to the relay.
    assert count_needed("30") - count_needed("10") == 2 * 20
    assert count_needed("30", **other) - count_needed("30") == 30
