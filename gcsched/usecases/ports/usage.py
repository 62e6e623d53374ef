"""Ports of the limits of clients: what they have used, in the stores that all processes share."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Protocol

from msgspec import Struct

from gcsched.domain.access import Client
from gcsched.domain.client_limits import Limit
from gcsched.domain.token_bucket import RateLimit


class DayGrant(Struct, frozen=True, kw_only=True):
    """How many jobs of a client were reserved, and how many it has had that day, with these."""

    count: int
    used: int


class UsageStore(Protocol):
    """The jobs of clients, counted for all processes. Every method raises StoreUnavailable."""

    async def reserve(
        self, client: str, day: date, count: int, *, most: int, within: timedelta
    ) -> DayGrant:
        """Reserve *count* jobs of *day*, or as many as fit into *most*.

        A reservation that was not confirmed is undone by the next one of this process.
        """

    async def give_back(self, client: str, day: date, count: int, *, within: timedelta) -> None:
        """Undo the reservation of *count* jobs that were not stored."""

    async def read(self, client: str, day: date, *, within: timedelta) -> int:
        """Return how many jobs of *day* are reserved."""

    async def read_many(
        self, clients: Sequence[str], day: date, *, within: timedelta
    ) -> Mapping[str, int]:
        """Return how many jobs of *day* are reserved by client; those without any are absent."""

    async def count_waiting(self, client: str, *, most: int, within: timedelta) -> int:
        """Count the jobs of *client* that wait to be sent, up to *most*."""

    async def count_stored(self, ids: Sequence[str], *, within: timedelta) -> int:
        """Count the jobs of *ids* that are stored."""


class InvitationReservation(Protocol):
    """The room that was reserved for the invitations of one call."""

    async def settle(self, *, is_used: bool) -> None:
        """Count what was reserved, or undo it. Without this call the day has so many fewer."""


class InvitationLimits(Protocol):
    """The limits of clients, for the invitations that a call about a meeting makes.

    A call gets room for all of them or for none.
    """

    async def check(self, client: Client, count: int, *, within: timedelta) -> None:
        """Raise ClientLimit if *client* may not have *count* more invitations now."""

    async def reserve(
        self, client: Client, count: int, *, within: timedelta
    ) -> InvitationReservation | None:
        """Reserve room for *count* invitations; None if they are not counted.

        Raises ClientLimit and StoreUnavailable.
        """


class CallsTogether(Struct, frozen=True, kw_only=True):
    """The calls of one client at all processes: how far they are ahead of the rate.

    *ahead_seconds* is how long the rate takes to pay for them. *processes* have had some of them
    lately, the asking one included.
    """

    ahead_seconds: float
    processes: int


class SharedCalls(Protocol):
    """The calls of clients, counted for all processes."""

    async def add(
        self, client: str, calls: int, limit: RateLimit, *, age_seconds: float
    ) -> CallsTogether:
        """Add *calls*, which this process has accepted since that time. Raises RedisUnavailable."""


class LimitObserver(Protocol):
    """Records how far clients use their limits; its methods must be fast and must not fail."""

    def on_usage(self, client: str, limit: Limit, used: int, most: int) -> None:
        """Record that *client* has used *used* of *most*."""

    def on_limit(self, client: str, limit: Limit) -> None:
        """Record that a call or a job of *client* was refused."""


class NullLimitObserver:
    """A LimitObserver that records nothing."""

    def on_usage(self, client: str, limit: Limit, used: int, most: int) -> None: ...

    def on_limit(self, client: str, limit: Limit) -> None: ...
