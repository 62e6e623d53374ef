"""Reads the clients again when their file changes; a broken file changes nothing."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

import structlog

from gcsched.domain.client_registry import ClientRegistry
from gcsched.errors import SettingsProblems
from gcsched.usecases.access.access_control import AccessControl
from gcsched.usecases.loops import OneAtATime, run_periodically
from gcsched.usecases.ports import ClientSource
from gcsched.usecases.problem_log import ProblemLog

EVERY = timedelta(seconds=2)
READ_WITHIN = timedelta(seconds=5)
HANGS = "it cannot be read within 5 s: does its disk or network answer?"


def create_problem_log() -> ProblemLog:
    return ProblemLog(event="clients file unusable", end_event="clients file usable again")


def ignore_clients(_: ClientRegistry) -> None:
    """Do nothing: the *on_clients* of a reload that no one watches."""


@dataclass(kw_only=True, eq=False)
class ClientReload:
    """Keeps *access* up to date with *source*; the last good clients stay while it is broken.

    *on_clients* is called with each new version of the clients.
    """

    source: ClientSource
    access: AccessControl
    on_clients: Callable[[ClientRegistry], None] = ignore_clients
    log: ProblemLog = field(default_factory=create_problem_log)
    problem: str | None = field(default=None, init=False)
    """What is wrong with the file, in one line; None if nothing is."""
    _reading: OneAtATime[ClientRegistry] = field(init=False)

    def __post_init__(self) -> None:
        self._reading = OneAtATime(self.source.read, within=READ_WITHIN)

    async def run(self, stop: asyncio.Event) -> None:
        try:
            await run_periodically(self.reload, every=EVERY, stop=stop)
        finally:
            self.access.log.flush()

    async def reload(self) -> None:
        """Read the file once, and take its clients if they have changed."""
        self.access.log.flush_if_due()
        try:
            registry = await self._reading.run()
        except SettingsProblems as error:
            self._record_problem("; ".join(error.sentences))
            return
        except TimeoutError:  # else revoked tokens would go on working unnoticed
            self._record_problem(HANGS)
            return
        self.problem = None
        self.log.record_success()
        if registry is not self.access.registry:
            self.access.use(registry)
            self.on_clients(registry)
            tokens, clients = len(registry.tokens), len(registry.clients)
            structlog.get_logger().info("clients file read", clients=clients, tokens=tokens)

    def _record_problem(self, problem: str) -> None:
        self.problem = problem
        self.log.record_failure(problem)
