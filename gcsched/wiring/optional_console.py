"""Opens the console where it is switched on; without it nothing of it is imported."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from importlib import import_module
from typing import TYPE_CHECKING, Protocol

from gcsched.config.settings import Settings
from gcsched.proxies import callable_host
from gcsched.usecases.ports import Clock
from gcsched.web.metrics import Metrics
from gcsched.web.readiness import Readiness
from gcsched.wiring.tls import Tls

if TYPE_CHECKING:
    from gcsched.web.console.inbox import Inbox
    from gcsched.wiring.assembly import Service

MODULE = "gcsched.wiring.console"


class Console(Protocol):
    """The console of a process. Until it is connected it says that the service starts."""

    @property
    def port(self) -> int | None:
        """Return where it listens; None if it does not."""

    def connect(self, service: "Service") -> None:
        """Show pages of *service* from now on."""

    async def finish_acts(self, *, within: timedelta) -> None:
        """Refuse new acts, and wait for those under way; pages can still be read."""

    def disconnect(self) -> None:
        """Show no more pages: the service is about to close what they use."""

    def show_inbox(self, inbox: "Inbox") -> None:
        """Show the mails of *inbox*, which were caught, as well."""


@dataclass(frozen=True, slots=True)
class NoConsole:
    """Stands for the console where it is switched off."""

    port: int | None = None

    def connect(self, _: "Service") -> None:
        """Do nothing."""

    async def finish_acts(self, *, within: timedelta) -> None:
        """Do nothing."""

    def disconnect(self) -> None:
        """Do nothing."""

    def show_inbox(self, _: "Inbox") -> None:
        """Do nothing."""


@asynccontextmanager
async def open_console(
    settings: Settings, *, readiness: Readiness, metrics: Metrics, tls: Tls, now: Clock
) -> AsyncIterator[Console]:
    """Serve the console, if it is switched on. Raises CannotListen."""
    if settings.console_listen is None:
        yield NoConsole()
        return
    # Not at the top: it would cost every service its memory.
    module = import_module(MODULE)
    async with module.serve(
        settings, readiness=readiness, metrics=metrics, tls=tls, now=now
    ) as console:
        yield console


def find_console_address(settings: Settings, port: int | None) -> str:
    """Return the address for a browser on this machine, or that of the proxy; "" without one."""
    if settings.console_listen is None:
        return ""
    if settings.console_origin is not None:
        return f"{settings.console_origin}/"
    scheme = "http" if settings.console_tls_cert_file is None else "https"
    host = callable_host(settings.console_listen.rpartition(":")[0])
    return f"{scheme}://{host}:{port}/"
