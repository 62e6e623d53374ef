"""A console on real stores, and browsers in front of it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.console import Browser, ConsoleClients, find_base, open_browser, running_console
from tests.support.in_process_app import RunningApp
from tests.support.relay.server import Relay


@pytest.fixture
def console_settings() -> dict[str, str]:
    """Return more settings of the application; override this fixture to change them."""
    return {}


@pytest.fixture
def clients(tmp_path: Path) -> ConsoleClients:
    """Return the clients of a console with logins, named after their scopes."""
    found = ConsoleClients(file=tmp_path / "clients.toml")
    for scope in ("read", "admin", "schedule"):
        found.add(scope)
    return found


@pytest.fixture
async def open_console(
    mongo_uri: str, redis_url: str, relay: Relay, console_settings: dict[str, str]
) -> AsyncIterator[RunningApp]:
    """Run a console without logins: access is not controlled."""
    async with running_console(
        mongo=mongo_uri, redis=redis_url, relay_port=relay.port, **console_settings
    ) as app:
        yield app


@pytest.fixture
async def browser(open_console: RunningApp) -> AsyncIterator[Browser]:
    """Yield a browser of a console without logins."""
    async with open_browser(find_base(open_console)) as browser:
        yield browser


@pytest.fixture
async def closed_console(
    mongo_uri: str,
    redis_url: str,
    relay: Relay,
    clients: ConsoleClients,
    console_settings: dict[str, str],
) -> AsyncIterator[RunningApp]:
    """Run a console with logins by the tokens of *clients*."""
    async with running_console(
        mongo=mongo_uri,
        redis=redis_url,
        relay_port=relay.port,
        clients_file=str(clients.file),
        **console_settings,
    ) as app:
        yield app


@pytest.fixture
async def stranger(closed_console: RunningApp) -> AsyncIterator[Browser]:
    """Yield a browser of a console with logins, before its login."""
    async with open_browser(find_base(closed_console)) as browser:
        yield browser
