"""Ports of sending: relays, their sessions, their rate allowances, and the pause."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from gcsched.domain.mail import Mail
from gcsched.domain.pause import Pause
from gcsched.domain.permit import Permit
from gcsched.domain.relay_health import CheckResult
from gcsched.domain.smtp_reply import Transmission
from gcsched.domain.token_bucket import RateGrant, RateLimit

Begin = Callable[[], Awaitable[Permit | None]]
"""Called each time the relay waits for a body; None means: do not send, the claim was lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SendResult:
    """The *transmission* of a mail, and the *relay* that was tried; "" if none was."""

    relay: str
    transmission: Transmission


class Mailer(Protocol):
    """One relay."""

    @property
    def name(self) -> str:
        """The relay's name in logs, attempts and metrics."""

    async def send(
        self, mail: Mail, begin: Begin, *, on_session: Callable[[], None] | None = None
    ) -> Transmission:
        """Send *mail* to the relay; write its body only after *begin* has returned a permit.

        *on_session* is called when the mail has a session, or may open one.
        """

    def close_idle(self) -> None:
        """Close the sessions that carry no mail: the relay does not answer any more."""

    def conclude_waiting(self, outcome: Transmission) -> None:
        """End the mails that wait for a session with *outcome*."""


class Transport(Protocol):
    """Sends mails by one of its relays."""

    async def send(self, mail: Mail, begin: Begin) -> SendResult:
        """Send *mail* to a relay; Withheld when none can be used now."""


class RateAllowance(Protocol):
    """The mails that one relay may get now. A shared allowance may raise RedisUnavailable."""

    async def reserve(self, most: int, limit: RateLimit) -> RateGrant:
        """Reserve *most* mails, or as many as *limit* allows now."""

    async def refund(self, count: int, limit: RateLimit) -> None:
        """Undo the reservation of *count* mails that were not sent."""

    async def reserve_slot(self, limit: RateLimit, *, max_wait: float) -> float | None:
        """Reserve a slot for one mail that is ready to leave; return its wait in seconds.

        Returns None, with no slot reserved, if the wait would exceed *max_wait* seconds.
        """


class Gate(Protocol):
    """Whether mails may leave now, and how many: checked before each claim.

    While the gate is shut nothing is claimed, so no claim is made only to be undone.
    """

    async def wait_open(self) -> None:
        """Wait until a mail may leave."""

    async def grant(self, most: int) -> int:
        """Return how many mails may be claimed now, at most *most*; 0: the gate has shut."""

    async def refund(self, count: int) -> None:
        """Take back *count* mails that were granted and not claimed."""


class GatedTransport(Transport, Gate, Protocol):
    """A transport with the gate that belongs to it."""


class PauseStore(Protocol):
    """The store of the pause, which all processes share."""

    async def get(self) -> Pause | None:
        """Return the pause, or None."""

    async def save(self, pause: Pause) -> Pause:
        """Store *pause*; one that replaces another keeps the older start time."""

    async def delete(self) -> Pause | None:
        """Delete the pause; return it if there was one."""


class Checkable(Protocol):
    """The sessions with one relay, as its checks use them."""

    @property
    def has_new_login(self) -> bool:
        """Whether the password has changed since the relay refused it."""

    async def check(self) -> CheckResult | None:
        """Check whether a session can be used; None: not checked, as mails need the sessions."""
