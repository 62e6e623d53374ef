"""Parts stop from the last to the first: each after all that still need it."""

from collections.abc import AsyncIterator

import pytest

from gcsched import app
from gcsched.config.settings import read_settings
from gcsched.wiring.assembly import assemble
from tests.support.service_process import environment

MONITORING_LOOPS = (
    "watch over mongodb",
    "watch over mongodb's writes",
    "watch over redis",
    "health of mongodb",
    "health of redis",
    "heartbeat",
)


@pytest.fixture
async def order() -> AsyncIterator[list[str]]:
    """Assemble a service with two relays, whose stores need not be there for that."""
    nowhere = environment(
        mongo="mongodb://127.0.0.1:9/x",
        redis="redis://127.0.0.1:9/0",
        relay_port=9,
        fallback_smtp_host="127.0.0.2",
        http_listen="127.0.0.1:0",
    )
    settings = read_settings(nowhere)
    async with app.open_resources(settings) as resources:
        yield [name for name, _ in assemble(settings, resources).loops]


def test_the_engine_stops_first_and_what_shows_the_stores_last(order: list[str]) -> None:
    assert order[-1] == "engine"
    assert set(order[: len(MONITORING_LOOPS)]) == set(MONITORING_LOOPS)


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ("engine", "crew"),
        ("crew", "fence"),
        ("crew", "sessions with 127.0.0.1:9"),
        ("crew", "recorder"),
        ("recorder", "leases"),
        ("recorder", "marks"),
        ("recorder", "ringer"),
        ("admission", "recipients"),
        ("admission", "indexes"),
        ("admission", "ringer"),
        ("arq workers", "sweep"),
        ("arq workers", "ringer"),
        ("sweep", "ringer"),
    ],
)
def test_a_part_stops_before_those_it_needs(order: list[str], first: str, then: str) -> None:
    assert order.index(then) < order.index(first)


def test_each_relay_has_its_sessions_and_its_checks(order: list[str]) -> None:
    for relay in ("127.0.0.1:9", "127.0.0.2:587"):
        assert {f"sessions with {relay}", f"checks of {relay}"} <= set(order)
    assert len(order) == len(set(order))
