"""Tasks stop from the last to the first: each after all tasks that need it."""

from collections.abc import AsyncIterator

import pytest

from gcsched import app
from gcsched.config.settings import read_settings
from gcsched.wiring.assembly import assemble
from tests.support.service_process import environment

MONITORING_LOOPS = (
    "mongodb check",
    "mongodb write probe",
    "redis check",
    "mongodb health",
    "redis health",
    "heartbeat",
)


@pytest.fixture
async def order() -> AsyncIterator[list[str]]:
    """Assemble a service with two relays; its stores need not be up for that."""
    variables = environment(
        mongo="mongodb://127.0.0.1:9/x",
        redis="redis://127.0.0.1:9/0",
        relay_port=9,
        fallback_smtp_host="127.0.0.2",
        http_listen="127.0.0.1:0",
    )
    settings = read_settings(variables)
    async with app.open_resources(settings) as resources:
        yield [name for name, _ in assemble(settings, resources).loops]


def test_the_engine_stops_first_and_the_store_checks_last(order: list[str]) -> None:
    assert order[-1] == "engine"
    assert set(order[: len(MONITORING_LOOPS)]) == set(MONITORING_LOOPS)


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ("engine", "workers"),
        ("workers", "fence"),
        ("workers", "sessions with 127.0.0.1:9"),
        ("workers", "outcome recorder"),
        ("outcome recorder", "leases"),
        ("outcome recorder", "sent markers"),
        ("outcome recorder", "wake-ups"),
        ("admission", "recipients"),
        ("admission", "new meetings"),
        ("admission", "indexes"),
        ("admission", "wake-ups"),
        ("arq workers", "sweep"),
        ("arq workers", "wake-ups"),
        ("sweep", "wake-ups"),
    ],
)
def test_a_task_stops_before_those_it_needs(order: list[str], first: str, then: str) -> None:
    assert order.index(then) < order.index(first)


def test_each_relay_has_its_sessions_and_its_checks(order: list[str]) -> None:
    for relay in ("127.0.0.1:9", "127.0.0.2:587"):
        assert {f"sessions with {relay}", f"checks of {relay}"} <= set(order)
    assert len(order) == len(set(order))
