"""Reads for operators what the clients may do, and what they have used of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from gcsched.domain.access import Client
from gcsched.domain.client_limits import Limit, day_of
from gcsched.domain.client_registry import find_expiries, is_usable
from gcsched.errors import StoreUnavailable
from gcsched.usecases.access.access_control import AccessControl
from gcsched.usecases.access.call_limits import CallLimits
from gcsched.usecases.access.limit_reports import LimitReports
from gcsched.usecases.ports import Clock, UsageStore


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientReport:
    """One client, and what is known of it.

    *jobs_today* are those of the present day of UTC at all processes, None if unknown; *ratios* are
    the parts of its limits of jobs that it has used, and *refused* its calls and jobs beyond a
    limit at this process, as *last_call* is. *token_end* is when its last token expires, None if it
    has one without an end, or none; *tokens* are those that can be used.
    """

    client: Client
    tokens: int
    token_end: datetime | None
    jobs_today: int | None
    ratios: Mapping[Limit, float]
    refused: Mapping[Limit, int]
    last_call: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientReports:
    """All clients by name. *has_usage*: the store has answered what they have used."""

    clients: Sequence[ClientReport]
    has_usage: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadClients:
    """Reads the clients: all from memory, except the jobs of the day, which need one statement."""

    control: AccessControl
    calls: CallLimits
    limits: LimitReports
    usage: UsageStore
    now: Clock

    async def read(self, *, within: timedelta) -> ClientReports:
        """Return all clients; without the jobs of the day if the store is away."""
        clients = self.control.registry.clients
        counted = [name for name, each in clients.items() if each.limits.jobs_per_day is not None]
        used: Mapping[str, int] | None = {}
        if counted:
            used = await self._read_usage(counted, within)
        ends = find_expiries(self.control.registry, now=self.now())
        return ClientReports(
            clients=[self._report(clients[name], ends.get(name), used) for name in sorted(clients)],
            has_usage=used is not None,
        )

    async def _read_usage(
        self, clients: Sequence[str], within: timedelta
    ) -> Mapping[str, int] | None:
        try:
            return await self.usage.read_many(clients, day_of(self.now()), within=within)
        except StoreUnavailable:
            return None

    def _report(
        self, client: Client, token_end: datetime | None, used: Mapping[str, int] | None
    ) -> ClientReport:
        now, name = self.now(), client.name
        age = self.calls.find_idle_time(name)
        return ClientReport(
            client=client,
            tokens=sum(is_usable(token, now=now) for token in client.tokens),
            token_end=token_end,
            jobs_today=None if used is None else used.get(name, 0),
            ratios={limit: n for (who, limit), n in self.limits.ratios.items() if who == name},
            refused={limit: n for (who, limit), n in self.limits.refused.items() if who == name},
            last_call=None if age is None else now - age,
        )
