"""A delivery engine as the service builds it, over a store and a relay in memory."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from gcsched.domain.job import Job
from gcsched.domain.mail import Mail
from gcsched.domain.retry import RetryPolicy
from gcsched.domain.smtp_reply import Answered, Reply, Stage, Transmission
from gcsched.domain.suppression import Suppression
from gcsched.errors import StoreUnavailable
from gcsched.usecases.batching import Group
from gcsched.usecases.delivery.deliver import Deliver, Fence
from gcsched.usecases.delivery.domain_queues import Lanes
from gcsched.usecases.delivery.engine import Engine
from gcsched.usecases.delivery.leases import Leases
from gcsched.usecases.delivery.outcomes import Recorder
from gcsched.usecases.delivery.sent_markers import AcceptedMarks
from gcsched.usecases.delivery.staffing import Staffing
from gcsched.usecases.delivery.worker_pool import Crew
from gcsched.usecases.ports import Batch, Begin, Conclusion, Gate
from gcsched.usecases.relays.failover import Relays
from gcsched.usecases.relays.protected_relay import GuardedRelay
from gcsched.usecases.relays.rate_allowance import OwnAllowance
from gcsched.usecases.relays.rate_limiter import Pacer
from tests.support.background import in_background
from tests.support.builders import (
    NOW,
    FixedClock,
)
from tests.support.mails import a_mail


@dataclass
class ToyStore:
    """Keeps what it is told, in order; is away for the next *hiccups* calls of a kind."""

    told: list[str] = field(default_factory=list)
    kept: dict[str, Suppression] = field(default_factory=dict)
    hiccups: dict[str, int] = field(default_factory=dict)
    looked_for: list[set[str]] = field(default_factory=list)
    concluded: dict[str, Job] = field(default_factory=dict)
    due: list[Job] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    released: list[str] = field(default_factory=list)
    defects: dict[str, Exception] = field(default_factory=dict)

    def _answer(self, what: str) -> None:
        if what in self.defects:
            raise self.defects[what]
        if self.hiccups.get(what, 0):
            self.hiccups[what] -= 1
            raise StoreUnavailable(what)
        self.told.append(what)

    # Outcomes

    async def conclude(self, conclusions: Sequence[Conclusion]) -> Collection[Conclusion]:
        self._answer("conclude")
        self.concluded |= {conclusion.job.id: conclusion.job for conclusion in conclusions}
        return ()

    # Suppressions

    async def add(self, suppressions: Sequence[Suppression]) -> None:
        self._answer("add")
        self.kept |= {suppression.address: suppression for suppression in suppressions}

    async def among(
        self, addresses: Collection[str], *, now: datetime
    ) -> Mapping[str, Suppression]:
        self._answer("among")
        self.looked_for.append(set(addresses))
        return {a: s for a, s in self.kept.items() if a in addresses and now < s.expire_time}

    # Claims

    async def claim(
        self, token: str, most: int, *, now: datetime, urgent_only: bool = False
    ) -> Batch:
        assert now == NOW
        self.tokens.append(token)
        assert not urgent_only
        self._answer("claim")
        taken, self.due = self.due[:most], self.due[most:]
        return Batch(token=token, jobs=tuple(taken), until=0.0, saw=len(taken))

    async def release(self, tokens: Sequence[str]) -> None:
        self._answer("release")
        self.released += tokens

    async def begin(self, token: str, ids: Sequence[str], *, date: datetime) -> Collection[str]:
        assert token
        assert date == NOW
        return ids

    async def renew(self, tokens: Sequence[str]) -> None:
        """Nobody loses a lease here."""

    async def next_due(self, *, now: datetime) -> bool:
        assert now == NOW
        return bool(self.due)


@dataclass
class ToyMailer:
    """Accepts everything and remembers to whom it talked."""

    name: str = "smtp.example.org"
    talked_to: list[str] = field(default_factory=list)

    def drop_idle(self) -> None:
        """Keep no sessions."""

    async def send(
        self, mail: Mail, begin: Begin, *, on_place: Callable[[], None] | None = None
    ) -> Transmission:
        if on_place is not None:
            on_place()
        self.talked_to.append(mail.recipient)
        assert await begin() is not None
        return Answered(Reply(stage=Stage.BODY, code=250))


@dataclass
class CountingGate:
    """Lets everything through and counts what was not refunded."""

    used: int = 0

    async def wait_open(self) -> None:
        """It is always open."""

    async def grant(self, most: int) -> int:
        self.used += most
        return most

    async def refund(self, count: int) -> None:
        self.used -= count


@dataclass
class SlowGate(CountingGate):
    """Opens after something has happened meanwhile, and keeps what it was asked for."""

    meanwhile: Callable[[], None] = lambda: None
    opened: int = 0
    asked: list[int] = field(default_factory=list)

    async def wait_open(self) -> None:
        if not self.opened:
            self.meanwhile()
        self.opened += 1

    async def grant(self, most: int) -> int:
        self.asked.append(most)
        return await super().grant(most)


class ToyComposer:
    def compose(self, job: Job) -> Mail:
        return a_mail(recipient=job.email)


class NoMarks:
    async def note(self, marks: Sequence[tuple[str, str]]) -> None:
        """Redis has nothing to do with it."""

    async def forget(self, marks: Sequence[tuple[str, str]]) -> None:
        """Redis has nothing to do with it."""

    async def noted(self, marks: Sequence[tuple[str, str]]) -> Collection[tuple[str, str]]:
        return marks


@asynccontextmanager
async def an_engine(
    store: ToyStore, mailer: ToyMailer, *, places: int = 0, gate: Gate | None = None
) -> AsyncIterator[Engine]:
    """Run what carries claimed jobs through, as the service does."""
    clock = FixedClock()
    leases = Leases(store, capacity=100)
    recorder = Recorder(store, on_recorded=leases.settle)
    fence = Group(Fence(claims=store, now=clock))
    pacer = Pacer(relay=mailer.name, per_second=0, burst=10, allowance=OwnAllowance())
    relays = Relays([GuardedRelay(mailer=mailer, pacer=pacer, login="", meanwhile="")])
    deliver = Deliver(
        composer=ToyComposer(),
        carrier=relays,
        fence=fence,
        policy=RetryPolicy(),
        now=clock,
        chance=lambda: 0.5,
    )
    marks = AcceptedMarks(NoMarks())
    lanes = Lanes(limit=places, now=clock)
    crew = Crew(
        deliver=deliver, recorder=recorder, marks=marks, lanes=lanes, staffing=Staffing(size=4)
    )

    async def work(stop: asyncio.Event) -> None:
        await crew.run(stop, grace=timedelta(0))

    async with AsyncExitStack() as stack:
        for loop in (recorder.run, fence.run, work):
            await stack.enter_async_context(in_background(loop))
        yield Engine(
            claims=store,
            suppressions=store,
            leases=leases,
            crew=crew,
            gate=gate or relays,
            bite=50,
            ring_for_others=lambda: None,
            now=clock,
        )
