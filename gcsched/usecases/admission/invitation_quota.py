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
class ReservedInvitations:
    """The room that was reserved for the invitations of one call."""

    quotas: Quotas
    part: ClientReservation

    async def settle(self, *, is_used: bool) -> None:
        """Count what was reserved, or undo it. Without this call the day has so many fewer."""
        await self.quotas.settle_count(self.part, self.part.held if is_used else 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class InvitationQuota:
    """The port `InvitationLimits`: invitations count as so many requests for mails."""

    quotas: Quotas

    async def check(self, client: Client, count: int, *, within: timedelta) -> None:
        """Raise ClientLimit if *client* may not have *count* more invitations now."""
        if count and is_counted(client.limits):
            await self.quotas.check(client, count, within=within)

    async def reserve(
        self, client: Client, count: int, *, within: timedelta
    ) -> ReservedInvitations | None:
        """Reserve room for *count* invitations; None if they are not counted.

        Raises ClientLimit and StoreUnavailable.
        """
        if not count or not is_counted(client.limits):
            return None
        part = await self.quotas.reserve(client, count, within=within)
        return ReservedInvitations(quotas=self.quotas, part=part)
