"""Relays with scripted mailers, on a clock that a test advances."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from gcsched.domain.mail import Mail
from gcsched.domain.smtp_reply import Answered, Reply, Stage, Transmission
from gcsched.usecases.ports import Begin
from gcsched.usecases.relays.failover import FailoverTransport
from gcsched.usecases.relays.health import RelayHealth
from gcsched.usecases.relays.problem_reporter import ignore_observation
from gcsched.usecases.relays.protected_relay import ProtectedRelay
from gcsched.usecases.relays.rate_allowance import LocalRateAllowance
from gcsched.usecases.relays.rate_limiter import RateLimiter
from gcsched.usecases.relays.refusal_tracker import LastAcceptance
from tests.support.clocks import FakeMonotonicClock

ACCEPTED = Answered(Reply.parse(Stage.BODY, 250, "2.0.0 ok"))


@dataclass
class ScriptedMailer:
    """A mailer with one outcome for all mails, but for some recipient domains and senders.

    It records the *recipients*, and hangs until *may_answer* is set.
    """

    name: str = "first:25"
    outcome: Transmission = ACCEPTED
    outcomes_by_domain: dict[str, Answered] = field(default_factory=dict)
    outcomes_by_sender: dict[str, Answered] = field(default_factory=dict)
    recipients: list[str] = field(default_factory=list)
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.may_answer.set()

    def close_idle(self) -> None:
        """Do nothing, as there are no sessions."""

    def conclude_waiting(self, outcome: Transmission) -> None:
        """Do nothing, as no mail waits for a session."""

    async def send(
        self, mail: Mail, begin: Begin, *, on_session: Callable[[], None] | None = None
    ) -> Transmission:
        del begin
        if on_session is not None:
            on_session()
        self.recipients.append(mail.recipient)
        await asyncio.sleep(0)  # other tasks run in between, as with a real connection
        await self.may_answer.wait()
        outcome = self.outcomes_by_sender.get(mail.sender, self.outcome)
        return self.outcomes_by_domain.get(mail.recipient.partition("@")[2], outcome)


def a_rate_limiter(
    clock: Callable[[], float], *, relay: str = "first:25", per_second: float = 0.0
) -> RateLimiter:
    return RateLimiter(
        relay=relay,
        per_second=per_second,
        burst=10,
        allowance=LocalRateAllowance(clock=clock),
        clock=clock,
    )


def make_relays(
    clock: FakeMonotonicClock,
    *mailers: ScriptedMailer,
    healths: Sequence[RelayHealth] = (),
    has_several_senders: bool = False,
) -> FailoverTransport:
    accepted = LastAcceptance()
    listeners = {each.relay: each.record for each in healths}
    relays = [
        ProtectedRelay(
            mailer=mailer,
            rate_limiter=a_rate_limiter(clock, relay=mailer.name),
            password_variable="GCSCHED_SMTP_PASSWORD",
            while_down="sending waits",
            clock=clock,
            chance=lambda: 1.0,
            last_acceptance=accepted,
            on_observation=listeners.get(mailer.name, ignore_observation),
            has_several_senders=has_several_senders,
        )
        for mailer in mailers
    ]
    return FailoverTransport(relays, clock=clock)
