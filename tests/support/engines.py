"""A delivery engine as the service builds it, over a store and a relay in memory."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from gcsched.domain.job import LEASE, Job
from gcsched.domain.mail import Mail
from gcsched.domain.meetings.claims import Objection
from gcsched.domain.retry import RetryPolicy
from gcsched.domain.smtp_reply import Answered, Reply, Stage, Transmission
from gcsched.domain.suppression import Suppression
from gcsched.errors import StoreUnavailable
from gcsched.usecases.batching import GroupCommit
from gcsched.usecases.delivery.batch_size import BatchSize
from gcsched.usecases.delivery.deliver import Deliver, Fence
from gcsched.usecases.delivery.domain_queues import DomainQueues
from gcsched.usecases.delivery.engine import Engine, ignore_meeting
from gcsched.usecases.delivery.leases import Leases
from gcsched.usecases.delivery.outcomes import OutcomeRecorder
from gcsched.usecases.delivery.sent_markers import SentMarkers
from gcsched.usecases.delivery.worker_pool import WorkerPool
from gcsched.usecases.delivery.worker_scaler import WorkerScaler
from gcsched.usecases.ports import Begin, ClaimedBatch, Conclusion, Gate
from gcsched.usecases.relays.failover import FailoverTransport
from gcsched.usecases.relays.protected_relay import ProtectedRelay
from gcsched.usecases.relays.rate_allowance import LocalRateAllowance
from gcsched.usecases.relays.rate_limiter import RateLimiter
from tests.support.background import in_background
from tests.support.builders import (
    NOW,
    FixedClock,
)
from tests.support.mails import a_mail


@dataclass
class FakeStore:
    """Records all calls in order; is away for the next *failures* calls of a kind."""

    calls: list[str] = field(default_factory=list)
    suppressions: dict[str, Suppression] = field(default_factory=dict)
    failures: dict[str, int] = field(default_factory=dict)
    looked_up: list[set[str]] = field(default_factory=list)
    concluded: dict[str, Job] = field(default_factory=dict)
    due: list[Job] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    released: list[str] = field(default_factory=list)
    checked: list[str] = field(default_factory=list)
    objections: dict[str, Objection] = field(default_factory=dict)
    defects: dict[str, Exception] = field(default_factory=dict)

    def _record_call(self, what: str) -> None:
        if what in self.defects:
            raise self.defects[what]
        if self.failures.get(what, 0):
            self.failures[what] -= 1
            raise StoreUnavailable(what)
        self.calls.append(what)

    # Outcomes

    async def conclude(self, conclusions: Sequence[Conclusion]) -> Collection[Conclusion]:
        self._record_call("conclude")
        self.concluded |= {conclusion.job.id: conclusion.job for conclusion in conclusions}
        return ()

    # Suppressions

    async def add(self, suppressions: Sequence[Suppression]) -> None:
        self._record_call("add")
        self.suppressions |= {suppression.address: suppression for suppression in suppressions}

    async def find_active(
        self, addresses: Collection[str], *, now: datetime
    ) -> Mapping[str, Suppression]:
        self._record_call("find_active")
        self.looked_up.append(set(addresses))
        return {
            a: s for a, s in self.suppressions.items() if a in addresses and now < s.expire_time
        }

    # Meetings

    async def check(self, jobs: Sequence[Job]) -> Mapping[str, Objection]:
        self._record_call("check")
        assert all(job.meeting is not None for job in jobs)
        self.checked += [job.id for job in jobs]
        return {job.id: each for job in jobs if (each := self.objections.get(job.id))}

    # Claims

    async def claim(
        self, token: str, most: int, *, now: datetime, urgent_only: bool = False
    ) -> ClaimedBatch:
        assert now == NOW
        self.tokens.append(token)
        assert not urgent_only
        self._record_call("claim")
        taken, self.due = self.due[:most], self.due[most:]
        lease_end = time.monotonic() + LEASE.total_seconds()
        return ClaimedBatch(
            token=token, jobs=tuple(taken), lease_end=lease_end, due_count=len(taken)
        )

    async def release(self, tokens: Sequence[str]) -> None:
        self._record_call("release")
        self.released += tokens

    async def begin(self, token: str, ids: Sequence[str], *, date: datetime) -> Collection[str]:
        assert token
        assert date == NOW
        return ids

    async def renew(self, tokens: Sequence[str]) -> Collection[str]:
        assert tokens
        return ()

    async def has_due_jobs(self, *, now: datetime) -> bool:
        assert now == NOW
        return bool(self.due)


@dataclass
class FakeMailer:
    """Accepts every mail and records its recipient."""

    name: str = "smtp.example.org"
    recipients: list[str] = field(default_factory=list)

    def close_idle(self) -> None:
        """Do nothing: it keeps no sessions."""

    def conclude_waiting(self, outcome: Transmission) -> None:
        """Do nothing, as no mail waits for a session."""

    async def send(
        self, mail: Mail, begin: Begin, *, on_session: Callable[[], None] | None = None
    ) -> Transmission:
        if on_session is not None:
            on_session()
        self.recipients.append(mail.recipient)
        assert await begin() is not None
        return Answered(Reply(stage=Stage.BODY, code=250))


@dataclass
class CountingGate:
    """Grants everything and counts what was not refunded."""

    granted: int = 0

    async def wait_open(self) -> None:
        """Return at once: it is always open."""

    async def grant(self, most: int) -> int:
        self.granted += most
        return most

    async def refund(self, count: int) -> None:
        self.granted -= count


@dataclass
class SlowGate(CountingGate):
    """Opens after *while_closed* was called, and records what was requested."""

    while_closed: Callable[[], None] = lambda: None
    open_count: int = 0
    requested: list[int] = field(default_factory=list)

    async def wait_open(self) -> None:
        if not self.open_count:
            self.while_closed()
        self.open_count += 1

    async def grant(self, most: int) -> int:
        self.requested.append(most)
        return await super().grant(most)


class FakeComposer:
    def compose(self, job: Job) -> Mail:
        return a_mail(recipient=job.email)


class NoSentMarkers:
    """A store that keeps no marker: Redis is not tested here."""

    async def write(
        self, *, added: Sequence[tuple[str, str]] = (), removed: Sequence[tuple[str, str]] = ()
    ) -> None:
        """Do nothing."""

    async def find(self, markers: Sequence[tuple[str, str]]) -> Collection[tuple[str, str]]:
        del markers
        return ()


async def has_settled() -> None:
    """Return at once: no sent marker waits."""


@asynccontextmanager
async def an_engine(
    store: FakeStore,
    mailer: FakeMailer,
    *,
    slots_per_domain: int = 0,
    gate: Gate | None = None,
    on_objection: Callable[[str], None] = ignore_meeting,
) -> AsyncIterator[Engine]:
    """Run an engine and its worker pool as the service does."""
    clock = FixedClock()
    leases = Leases(store, capacity=100)

    def on_recorded(batch: Sequence[Conclusion]) -> None:
        for conclusion in batch:
            leases.release(conclusion)

    recorder = OutcomeRecorder(store, on_recorded=on_recorded)
    fence = GroupCommit(
        Fence(
            claims=store, find_lease_end=leases.find_end, settle_markers=has_settled, now=clock
        ).begin
    )
    rate_limiter = RateLimiter(
        relay=mailer.name, per_second=0, burst=10, allowance=LocalRateAllowance()
    )
    relays = FailoverTransport(
        [
            ProtectedRelay(
                mailer=mailer, rate_limiter=rate_limiter, password_variable="", while_down=""
            )
        ]
    )
    deliver = Deliver(
        composer=FakeComposer(),
        transport=relays,
        fence=fence,
        policy=RetryPolicy(),
        now=clock,
        chance=lambda: 0.5,
    )
    sent_markers = SentMarkers(NoSentMarkers())
    queues = DomainQueues(slots_per_domain=slots_per_domain, now=clock)
    workers = WorkerPool(
        deliver=deliver,
        recorder=recorder,
        sent_markers=sent_markers,
        queues=queues,
        scaler=WorkerScaler(size=4),
    )

    async def work(stop: asyncio.Event) -> None:
        await workers.run(stop, grace=timedelta(0))

    async with AsyncExitStack() as stack:
        for loop in (recorder.run, fence.run, work):
            await stack.enter_async_context(in_background(loop))
        yield Engine(
            claims=store,
            suppressions=store,
            meetings=store,
            leases=leases,
            workers=workers,
            gate=gate or relays,
            batch_size=BatchSize(50),
            wake_others=lambda: None,
            now=clock,
            on_objection=on_objection,
        )
