"""Relays whose mailers are scripted, on a clock that only goes when told to."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from gcsched.domain.mail import Mail
from gcsched.domain.smtp_reply import Answered, Reply, Stage, Transmission
from gcsched.usecases.ports import Begin
from gcsched.usecases.relays.failover import Relays
from gcsched.usecases.relays.health import RelayHealth
from gcsched.usecases.relays.protected_relay import GuardedRelay
from gcsched.usecases.relays.rate_allowance import OwnAllowance
from gcsched.usecases.relays.rate_limiter import Pacer
from gcsched.usecases.relays.refusals import Acceptance
from gcsched.usecases.relays.trouble import nobody_listens
from tests.support.clocks import Seconds

TAKEN = Answered(Reply.parse(Stage.BODY, 250, "2.0.0 ok"))


@dataclass
class ScriptedMailer:
    """A relay that says the same to all, but for the domains in *but*; *asked*: of whom.

    It hangs until *answers* is set.
    """

    name: str = "first:25"
    says: Transmission = TAKEN
    but: dict[str, Answered] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    answers: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.answers.set()

    def drop_idle(self) -> None:
        """Keep no sessions."""

    async def send(
        self, mail: Mail, begin: Begin, *, on_place: Callable[[], None] | None = None
    ) -> Transmission:
        del begin
        if on_place is not None:
            on_place()
        self.asked.append(mail.recipient)
        await asyncio.sleep(0)  # others come between, as on a wire
        await self.answers.wait()
        return self.but.get(mail.recipient.partition("@")[2], self.says)


def a_pacer(
    clock: Callable[[], float], *, relay: str = "first:25", per_second: float = 0.0
) -> Pacer:
    return Pacer(
        relay=relay,
        per_second=per_second,
        burst=10,
        allowance=OwnAllowance(clock=clock),
        clock=clock,
    )


def relays_over(
    clock: Seconds, *mailers: ScriptedMailer, healths: Sequence[RelayHealth] = ()
) -> Relays:
    accepted = Acceptance()
    listeners = {each.relay: each.note for each in healths}
    guards = [
        GuardedRelay(
            mailer=mailer,
            pacer=a_pacer(clock, relay=mailer.name),
            login="GCSCHED_SMTP_PASSWORD",
            meanwhile="sending waits",
            clock=clock,
            chance=lambda: 1.0,
            accepted=accepted,
            on_heard=listeners.get(mailer.name, nobody_listens),
        )
        for mailer in mailers
    ]
    return Relays(guards, clock=clock)
