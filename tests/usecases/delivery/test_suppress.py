"""From a refusal to the next job for that address: written with the outcome, looked up by batch."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest

from gcsched.domain.job import Job, State
from gcsched.domain.mail import Mail
from gcsched.domain.retry import RetryPolicy
from gcsched.domain.smtp_reply import Answered, Kind, Reply, Stage, Transmission
from gcsched.domain.suppression import Suppression, suppression_from
from gcsched.errors import StoreUnavailable
from gcsched.usecases.batching import Group
from gcsched.usecases.delivery.deliver import Deliver, Fence
from gcsched.usecases.delivery.domain_queues import Lanes
from gcsched.usecases.delivery.engine import Engine
from gcsched.usecases.delivery.leases import Leases
from gcsched.usecases.delivery.outcomes import Recorder
from gcsched.usecases.delivery.sent_markers import AcceptedMarks
from gcsched.usecases.delivery.staffing import Staffing
from gcsched.usecases.delivery.suppress import SuppressingOutcomes
from gcsched.usecases.delivery.worker_pool import Crew
from gcsched.usecases.ports import Batch, Begin, Conclusion, Gate
from gcsched.usecases.relays.failover import Relays
from gcsched.usecases.relays.protected_relay import GuardedRelay
from gcsched.usecases.relays.rate_allowance import OwnAllowance
from gcsched.usecases.relays.rate_limiter import Pacer
from tests.support.builders import (
    NOW,
    FixedClock,
    a_batch,
    a_claimed_job,
    a_conclusion,
    a_suppression,
    an_attempt,
)
from tests.support.builders import running as looping
from tests.support.mails import a_mail
from tests.support.wait import until

MONTH = timedelta(days=30)
REFUSED = a_claimed_job().failed(an_attempt(kind=Kind.RECIPIENT), reason="550 at RCPT: unknown")


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
        return {a: s for a, s in self.kept.items() if a in addresses and now < s.until}

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


@pytest.fixture
def store() -> ToyStore:
    return ToyStore()


@pytest.fixture
def outcomes(store: ToyStore) -> SuppressingOutcomes:
    return SuppressingOutcomes(outcomes=store, suppressions=store, lasting=MONTH)


async def test_a_refused_recipient_is_blocked_with_the_outcome(
    outcomes: SuppressingOutcomes, store: ToyStore
) -> None:
    await outcomes.conclude([a_conclusion(), a_conclusion(REFUSED)])

    assert store.told == ["add", "conclude"]
    assert list(store.kept.values()) == [suppression_from(REFUSED, lasting=MONTH)]
    assert store.concluded == {"job-1": REFUSED}


async def test_where_nobody_was_refused_only_the_outcomes_are_written(
    outcomes: SuppressingOutcomes, store: ToyStore
) -> None:
    spam = a_claimed_job().failed(an_attempt(kind=Kind.POLICY), reason="554 5.7.1 at BODY: spam")

    await outcomes.conclude([a_conclusion(), a_conclusion(spam)])

    assert store.told == ["conclude"]


@pytest.mark.parametrize("away", ["add", "conclude"])
async def test_a_store_that_is_away_for_a_moment_loses_neither(
    outcomes: SuppressingOutcomes, store: ToyStore, monkeypatch: pytest.MonkeyPatch, away: str
) -> None:
    monkeypatch.setattr("gcsched.usecases.delivery.outcomes.BETWEEN_TRIES_SECONDS", 0.001)
    store.hiccups[away] = 3
    settled: list[Conclusion] = []
    recorder = Recorder(outcomes, on_recorded=settled.append)

    async with looping(recorder.run):
        recorder.record(a_conclusion(REFUSED))
        await until(lambda: settled)

    assert set(store.kept) == {"ada@example.org"}
    assert store.concluded == {"job-1": REFUSED}


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
            await stack.enter_async_context(looping(loop))
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


def jobs_for(*addresses: str) -> list[Job]:
    return [
        a_claimed_job(id=f"job-{number}", email=address, dedup_key=f"key-{number}")
        for number, address in enumerate(addresses, start=1)
    ]


async def test_a_blocked_address_is_passed_over_without_a_conversation(store: ToyStore) -> None:
    mailer = ToyMailer()
    store.kept = {"gone@example.org": a_suppression(address="gone@example.org")}
    store.due = jobs_for("gone@example.org", "ada@example.org")

    async with an_engine(store, mailer) as engine:
        await engine.claim_what_is_due()
        await until(lambda: len(store.concluded) == 2)

    gone, ada = store.concluded["job-1"], store.concluded["job-2"]
    assert (gone.state, gone.attempts, gone.dedup_key) == (State.SUPPRESSED, (), None)
    assert ada.state is State.SENT
    assert mailer.talked_to == ["ada@example.org"]


async def test_what_is_too_much_for_a_domain_goes_back_and_so_does_its_grant(
    store: ToyStore,
) -> None:
    mailer, gate = ToyMailer(), CountingGate()
    store.due = jobs_for(*[f"{n}@example.org" for n in range(8)], "ada@example.com")

    async with an_engine(store, mailer, places=1, gate=gate) as engine:
        await engine.claim_what_is_due()
        await until(lambda: len(store.concluded) == 9)

    put_off = [job for job in store.concluded.values() if job.due > NOW]
    assert [job.state for job in put_off] == [State.SCHEDULED] * 3
    assert (len(mailer.talked_to), gate.used) == (6, 6)
    assert "ada@example.com" in mailer.talked_to


async def test_what_is_not_to_be_sent_ends_however_many_wait_for_its_domain(
    store: ToyStore,
) -> None:
    store.kept = {"gone@example.org": a_suppression(address="gone@example.org")}
    store.due = jobs_for(*[f"{n}@example.org" for n in range(8)], "gone@example.org")

    async with an_engine(store, ToyMailer(), places=1) as engine:
        await engine.claim_what_is_due()
        await until(lambda: len(store.concluded) == 9)

    assert store.concluded["job-9"].state is State.SUPPRESSED


async def test_a_batch_is_one_look_after_its_claim(store: ToyStore) -> None:
    addresses = [f"{n % 40}@example.org" for n in range(80)]
    store.due = jobs_for(*addresses)

    async with an_engine(store, ToyMailer()) as engine:
        await engine.claim_what_is_due()
        await until(lambda: len(store.concluded) == 80)

    asked = [what for what in store.told if what != "conclude"]
    assert asked == ["claim", "among", "claim", "among", "claim"]
    assert store.looked_for == [set(addresses[:50]), set(addresses[50:])]


async def test_when_nobody_can_say_who_is_blocked_the_batch_is_given_back(store: ToyStore) -> None:
    mailer = ToyMailer()
    store.due = jobs_for("ada@example.org", "bob@example.org")
    store.hiccups["among"] = 1

    async with an_engine(store, mailer) as engine:
        with pytest.raises(StoreUnavailable):
            await engine.claim_what_is_due()
        await until(lambda: len(store.concluded) == 2)

        assert engine.leases.held == 0
    assert {job.state for job in store.concluded.values()} == {State.SCHEDULED}
    assert mailer.talked_to == []


async def test_whatever_goes_wrong_in_that_look_the_batch_is_given_back(store: ToyStore) -> None:
    store.due = jobs_for("ada@example.org")
    store.defects["among"] = KeyError("reason")

    async with an_engine(store, ToyMailer()) as engine:
        with pytest.raises(KeyError):
            await engine.claim_what_is_due()
        await until(lambda: store.concluded)

    assert store.concluded["job-1"].state is State.SCHEDULED


async def test_where_the_room_went_while_the_gate_was_shut_nothing_is_claimed(
    store: ToyStore,
) -> None:
    store.due = jobs_for("ada@example.org")
    others = [a_claimed_job(id=f"other-{n}") for n in range(110)]
    gate = SlowGate()

    async with an_engine(store, ToyMailer(), gate=gate) as engine:
        gate.meanwhile = lambda: engine.leases.hold(a_batch(*others, claim="others"))
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(engine.claim_what_is_due())
            await until(lambda: gate.opened)
            assert engine.leases.room < 0
            for _ in others:
                engine.leases.settle(a_conclusion(claim="others"))
        await until(lambda: store.concluded)

    assert min(gate.asked) > 0
    assert store.concluded["job-1"].state is State.SENT


async def test_what_a_claim_may_have_taken_unheard_is_released_before_the_next(
    store: ToyStore,
) -> None:
    store.hiccups = {"claim": 1, "release": 1}
    store.due = jobs_for("ada@example.org")

    async with an_engine(store, ToyMailer()) as engine:
        for _ in ("claim", "release"):
            with pytest.raises(StoreUnavailable):
                await engine.claim_what_is_due()
        await engine.claim_what_is_due()
        await until(lambda: store.concluded)

    assert store.released == store.tokens[:1]
    assert store.told[:2] == ["release", "claim"]
