"""A console on real stores, and browsers in front of it.

Most tests share the console of their module, whose stores are emptied before each of them: they are
marked `asyncio(loop_scope="module")`, and use `console` or `locked_console` and what belongs to
them. These two share their stores, as all applications of a process do: Beanie binds its models to
one database. So a module has either these or, for tests of settings, starts and relays, an
`open_console` or a `closed_console` for each test.
"""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser as Chromium

from gcsched.wiring.console import ServedConsole
from tests.support.chromium import connect, run_chromium
from tests.support.console import (
    Browser,
    ConsoleClients,
    empty,
    find_base,
    open_browser,
    running_console,
)
from tests.support.in_process_app import RunningApp
from tests.support.relay.server import Relay
from tests.support.service_process import Stub, scheduler_stub
from tests.support.stores import Databases, lend_stores

SCOPES = ("read", "admin", "schedule")


@pytest.fixture
def console_settings() -> dict[str, str]:
    """Return more settings of the application; override this fixture to change them."""
    return {}


@pytest.fixture
def clients(tmp_path: Path) -> ConsoleClients:
    """Return the clients of a console with logins, named after their scopes."""
    found = ConsoleClients(file=tmp_path / "clients.toml")
    for scope in SCOPES:
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


@pytest.fixture(scope="session")
def chromium_profile() -> Iterator[Path]:
    """Yield the profile of the one Chromium of the session."""
    with run_chromium() as profile:
        yield profile


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chromium(chromium_profile: Path) -> AsyncIterator[Chromium]:
    """Yield the session's Chromium for the loop of the module."""
    async with connect(chromium_profile) as browser:
        yield browser


@pytest.fixture
async def own_chromium(chromium_profile: Path) -> AsyncIterator[Chromium]:
    """Yield the session's Chromium for the loop of a test that has a console of its own."""
    async with connect(chromium_profile) as browser:
        yield browser


@pytest.fixture(scope="module")
def shared_settings() -> dict[str, str]:
    """Return more settings of the shared consoles; override this fixture to change them."""
    return {}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_relay() -> AsyncIterator[Relay]:
    async with Relay() as relay:
        yield relay


@pytest.fixture(scope="module")
def shared_stores(
    databases: Databases, redis_server: str, redis_numbers: Iterator[int]
) -> Iterator[dict[str, str]]:
    with lend_stores(databases, redis_server, redis_numbers) as stores:
        yield stores


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_console(
    shared_stores: dict[str, str], shared_relay: Relay, shared_settings: dict[str, str]
) -> AsyncIterator[RunningApp]:
    async with running_console(
        **shared_stores, relay_port=shared_relay.port, **shared_settings
    ) as app:
        yield app


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stub(shared_console: RunningApp) -> AsyncIterator[Stub]:
    """Yield a stub of the shared console without logins."""
    async with scheduler_stub(shared_console.target) as stub:
        yield stub


@pytest_asyncio.fixture(loop_scope="module")
async def console(shared_console: RunningApp, shared_relay: Relay) -> RunningApp:
    """Return the module's console without logins, with empty stores, no inbox and a new relay."""
    shared_relay.clear_rules()
    shared_relay.ledger.clear()
    served = shared_console.resources.console
    assert isinstance(served, ServedConsole)
    served.installation.inbox = None
    await empty(shared_console)
    return shared_console


@pytest_asyncio.fixture(loop_scope="module")
async def visitor(console: RunningApp) -> AsyncIterator[Browser]:
    """Yield a browser of the module's console without logins."""
    async with open_browser(find_base(console)) as browser:
        yield browser


@pytest.fixture(scope="module")
def shared_clients(tmp_path_factory: pytest.TempPathFactory) -> ConsoleClients:
    """Return the clients of the module's console with logins; tests change *leaver* and *mover*."""
    found = ConsoleClients(file=tmp_path_factory.mktemp("clients") / "clients.toml")
    for scope in SCOPES:
        found.add(scope)
    for name in ("leaver", "mover"):
        found.add("read", name=name)
    return found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_locked_console(
    shared_stores: dict[str, str],
    shared_relay: Relay,
    shared_clients: ConsoleClients,
    shared_settings: dict[str, str],
) -> AsyncIterator[RunningApp]:
    async with running_console(
        **shared_stores,
        relay_port=shared_relay.port,
        clients_file=str(shared_clients.file),
        **shared_settings,
    ) as app:
        yield app


@pytest_asyncio.fixture(loop_scope="module")
async def locked_console(
    shared_locked_console: RunningApp, shared_clients: ConsoleClients
) -> RunningApp:
    """Return the module's console with logins, with empty stores."""
    await empty(shared_locked_console, shared_clients.tokens["admin"])
    return shared_locked_console


@pytest_asyncio.fixture(loop_scope="module")
async def guest(locked_console: RunningApp) -> AsyncIterator[Browser]:
    """Yield a browser of the module's console with logins, before its login."""
    async with open_browser(find_base(locked_console)) as browser:
        yield browser
