"""What the sending needs: relays, their sessions, their shares of a rate, and the pause."""

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
"""Asked each time the relay waits for a body; None means: do not send, the job is not ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SendResult:
    """What became of a mail, and the *relay* that carried it; "" when none was tried."""

    relay: str
    transmission: Transmission


class Mailer(Protocol):
    """One relay."""

    @property
    def name(self) -> str:
        """The relay's name for people: logs, attempts, metrics."""

    async def send(
        self, mail: Mail, begin: Begin, *, on_session: Callable[[], None] | None = None
    ) -> Transmission:
        """Carry *mail* to the relay; write its body only after *begin* has given a permit.

        *on_session* is called when the mail has a session, or may open one.
        """

    def close_idle(self) -> None:
        """Close the kept sessions that carry no mail: the relay does not answer any more."""


class Transport(Protocol):
    """Whoever finds a relay for a mail."""

    async def send(self, mail: Mail, begin: Begin) -> SendResult:
        """Carry *mail* to a relay; Withheld when none can be used now."""


class RateAllowance(Protocol):
    """How many mails one relay may get now. One that is shared may raise RedisUnavailable."""

    async def reserve(self, most: int, limit: RateLimit) -> RateGrant:
        """Take *most* mails, or as many as *limit* allows now."""

    async def refund(self, count: int, limit: RateLimit) -> None:
        """Give back what was taken last and did not leave."""

    async def reserve_slot(self, limit: RateLimit, *, max_wait: float) -> float | None:
        """Give one mail, about to leave, its slot among all that leave: in how many seconds.

        None: later than *max_wait* seconds; it has no slot then.
        """


class Gate(Protocol):
    """Whether mails may leave now, and how many: asked before each claim.

    A shut gate stops the claiming, so that nothing is claimed only to be put back.
    """

    async def wait_open(self) -> None:
        """Wait until a mail may leave."""

    async def grant(self, most: int) -> int:
        """Give how many mails may be claimed now, *most* at most; 0: it has shut meanwhile."""

    async def refund(self, count: int) -> None:
        """Take back what was granted and not claimed."""


class GatedTransport(Transport, Gate, Protocol):
    """Whoever carries mails, and says how many may be claimed for that."""


class PauseStore(Protocol):
    async def get(self) -> Pause | None:
        """Give the pause, if there is one."""

    async def save(self, pause: Pause) -> Pause:
        """Note *pause*; where there is one already, its words change and not its begin."""

    async def delete(self) -> Pause | None:
        """Forget the pause; give it, if there was one."""


class Checkable(Protocol):
    """The sessions with one relay."""

    @property
    def has_new_login(self) -> bool:
        """Whether the password is another one than the relay has refused."""

    async def check(self) -> CheckResult | None:
        """Ask whether a session stands; None: not asked, or given up, for the sake of a mail."""
