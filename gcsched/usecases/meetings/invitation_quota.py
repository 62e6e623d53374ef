"""The limits of a client's jobs, for the invitations that a call about a meeting makes.

The mails that follow by themselves, such as updates and reminders, are not counted.
"""

from dataclasses import dataclass
from datetime import timedelta

from gcsched.domain.access import Client
from gcsched.domain.client_limits import is_counted
from gcsched.usecases.admission.client_reservation import ClientReservation
from gcsched.usecases.admission.quotas import Quotas


@dataclass(frozen=True, slots=True, kw_only=True)
class InvitationQuota:
    """Counts invitations as so many requests for mails; a call gets room for all or for none."""

    quotas: Quotas

    async def check(self, client: Client, count: int, *, within: timedelta) -> None:
        """Raise ClientLimit if *client* may not have *count* more invitations now."""
        if count and is_counted(client.limits):
            await self.quotas.check(client, count, within=within)

    async def reserve(
        self, client: Client, count: int, *, within: timedelta
    ) -> ClientReservation | None:
        """Reserve room for *count* invitations; None if they are not counted.

        Raises ClientLimit and StoreUnavailable.
        """
        if not count or not is_counted(client.limits):
            return None
        return await self.quotas.reserve(client, count, within=within)

    async def settle(self, reserved: ClientReservation | None, *, is_used: bool) -> None:
        """Count what was *reserved*, or undo it. Without this call the day has so many fewer."""
        if reserved is not None:
            await self.quotas.settle_count(reserved, reserved.held if is_used else 0)
