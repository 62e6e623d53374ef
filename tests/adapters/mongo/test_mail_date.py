"""The Date of a mail, from the claim to the relay. Oracle: the mail that the relay has."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pymongo.collection import Collection

from gcsched.adapters.mail.composer import Composer
from gcsched.adapters.mail.template_folder import default_folder
from gcsched.adapters.mail.templates import Templates
from gcsched.adapters.mongo.claims import MongoClaims
from gcsched.adapters.mongo.codec import encode
from gcsched.adapters.mongo.connection import Mongo
from gcsched.adapters.mongo.job_changes import MongoJobChanges
from gcsched.adapters.mongo.outcomes import MongoOutcomes
from gcsched.adapters.mongo.recovery import MongoRecovery
from gcsched.domain.job import LEASE, Job, State
from gcsched.domain.mail import Mail
from gcsched.domain.outcome import apply_lease_expiration
from gcsched.domain.retry import RetryPolicy
from gcsched.domain.smtp_reply import Kind, Withheld
from gcsched.usecases.batching import GroupCommit
from gcsched.usecases.delivery.deliver import ClaimedJob, Deliver, Fence
from gcsched.usecases.ports import Begin, Conclusion, Mailer, SendResult, Transport
from tests.support.background import in_background
from tests.support.builders import FixedClock, a_job, an_attempt
from tests.support.clocks import HOUR
from tests.support.engines import has_settled
from tests.support.relay.client import a_pool
from tests.support.relay.server import Answer, At, LoseReply, Relay
from tests.support.rows import Row
from tests.support.wait import until

Change = Callable[[Job], Job]
DUE = datetime(2025, 2, 28, 9, 30, tzinfo=UTC)  # past for every server
LEFT = datetime(2025, 3, 1, 12, 0, 7, 700_000, tzinfo=UTC)
SECOND = datetime(2025, 3, 1, 12, 0, 7, tzinfo=UTC)
RETENTION = timedelta(days=36500)  # the TTL monitor of the tests runs every second


@dataclass
class PoolTransport:
    """A transport with one relay."""

    pool: Mailer

    async def send(self, mail: Mail, begin: Begin) -> SendResult:
        return SendResult(relay="r", transmission=await self.pool.send(mail, begin))


class NoSlotTransport:
    """A transport that gets its permit, and then no slot of the rate limit."""

    async def send(self, _: Mail, begin: Begin) -> SendResult:
        assert await begin() is not None
        return SendResult(relay="", transmission=Withheld("no slot"))


@dataclass(kw_only=True)
class Service:
    """The service around a job: real stores, a real relay, and a clock that stands still."""

    mongo: Mongo
    relay: Relay
    transport: Transport
    fence: GroupCommit[ClaimedJob, Any]
    clock: FixedClock
    claims: int = field(default=0, init=False)

    async def claim(self) -> ClaimedJob:
        self.claims += 1
        token = f"claim-{self.claims}"
        batch = await MongoClaims(mongo=self.mongo).claim(token, 1, now=self.clock())
        (job,) = batch.jobs
        return ClaimedJob(job=job, token=token)

    async def deliver(self, transport: Transport | None = None) -> Job:
        claimed = await self.claim()
        deliver = Deliver(
            composer=Composer(
                templates=Templates.load(default_folder()),
                sender_email="no-reply@example.org",
                sender_name="Scheduler",
                timezone=ZoneInfo("UTC"),
            ),
            transport=transport or self.transport,
            fence=self.fence,
            policy=RetryPolicy(),
            now=self.clock,
            chance=lambda: 0.5,
        )
        conclusion = await deliver.deliver(claimed)
        outcomes = MongoOutcomes(mongo=self.mongo, retention=RETENTION)
        assert not await outcomes.conclude([conclusion])
        return conclusion.job

    async def deliver_later(self, by: timedelta = HOUR) -> Job:
        self.clock.advance(by)
        return await self.deliver()

    async def change(self, change: Change) -> None:
        changes = MongoJobChanges(mongo=self.mongo, retention=RETENTION)
        seen = await changes.find("job-1")
        assert seen is not None
        assert await changes.change(seen, change(seen), within=HOUR)

    def dates(self) -> list[datetime]:
        return [parse_date(kept.content) for kept in self.relay.ledger]


def parse_date(content: bytes) -> datetime:
    message = message_from_bytes(content, policy=policy.default)
    date: datetime = message["date"].datetime
    return date


@pytest.fixture
async def service(mongo: Mongo) -> AsyncIterator[Service]:
    async with a_service(mongo) as service:
        yield service


@asynccontextmanager
async def a_service(mongo: Mongo) -> AsyncIterator[Service]:
    clock = FixedClock(LEFT)
    fence = GroupCommit(
        Fence(
            claims=MongoClaims(mongo=mongo),
            find_lease_end=lambda _: time.monotonic() + LEASE.total_seconds(),
            settle_markers=has_settled,
            now=clock,
        ).begin
    )
    async with Relay() as relay, a_pool(relay) as pool, in_background(fence.run):
        yield Service(
            mongo=mongo, relay=relay, transport=PoolTransport(pool), fence=fence, clock=clock
        )


def a_due_job(**others: Any) -> Job:
    return a_job(
        **{
            "create_time": DUE,
            "schedule_time": DUE,
            "due_time": DUE,
            "expire_time": LEFT + 90 * HOUR,
            **others,
        }
    )


def retry(job: Job) -> Job:
    return job.reset_for_retry(LEFT + HOUR, expire_time=LEFT + 90 * HOUR, dedup_until=LEFT)


def reschedule(job: Job) -> Job:
    later = SECOND + HOUR
    return job.rescheduled(later, LEFT + HOUR, is_daily=False, expire_time=later + HOUR)


async def test_the_date_of_a_mail_is_when_it_leaves(
    service: Service, jobs: Collection[Row]
) -> None:
    jobs.insert_one(encode(a_due_job()))

    job = await service.deliver()

    assert (job.state, job.date) == (State.SENT, SECOND)
    assert service.dates() == [SECOND]
    assert (jobs.find_one() or {})["date"] == SECOND


async def test_a_resend_after_a_lost_reply_is_the_same_mail_octet_for_octet(
    service: Service, jobs: Collection[Row]
) -> None:
    service.relay.script(At.BODY, LoseReply(), nth=1)
    jobs.insert_one(encode(a_due_job()))
    lost = await service.deliver()

    await service.deliver_later()

    first, again = service.relay.ledger
    assert [attempt.kind for attempt in lost.attempts] == [Kind.UNCERTAIN]
    assert first.content == again.content
    assert parse_date(again.content) == SECOND


@pytest.mark.parametrize("change", [retry, reschedule])
async def test_an_uncertain_mail_stays_the_same_when_it_is_rescheduled_or_retried(
    service: Service, jobs: Collection[Row], change: Change
) -> None:
    service.relay.script(At.BODY, LoseReply(), nth=1)
    jobs.insert_one(encode(a_due_job()))
    await service.deliver()
    if change is retry:
        jobs.update_one({}, {"$set": {"state": "UNCERTAIN"}})

    await service.change(change)
    await service.deliver_later(2 * HOUR)

    first, again = service.relay.ledger
    assert first.content == again.content


async def test_a_mail_refused_after_its_body_gets_a_new_date_when_it_is_retried(
    service: Service, jobs: Collection[Row]
) -> None:
    service.relay.script(At.BODY, Answer(554, "5.6.0 no"), nth=1)
    jobs.insert_one(encode(a_due_job()))
    failed = await service.deliver()

    await service.change(retry)
    assert "date" not in (jobs.find_one() or {})
    await service.deliver_later(2 * HOUR)

    assert (failed.state, failed.date) == (State.FAILED, SECOND)
    assert service.dates() == [SECOND + 2 * HOUR]


async def test_a_deferred_mail_gets_a_new_date_when_it_is_rescheduled(
    service: Service, jobs: Collection[Row]
) -> None:
    service.relay.script(At.BODY, Answer(451, "4.3.0 later"), nth=1)
    jobs.insert_one(encode(a_due_job()))
    await service.deliver()

    await service.change(reschedule)
    await service.deliver_later(2 * HOUR)

    assert service.dates() == [SECOND + 2 * HOUR]


async def test_a_mail_deferred_after_its_body_keeps_its_first_date(
    service: Service, jobs: Collection[Row]
) -> None:
    service.relay.script(At.BODY, Answer(451, "4.3.0 later"), nth=1)
    jobs.insert_one(encode(a_due_job()))
    await service.deliver()

    await service.deliver_later()

    assert service.dates() == [SECOND]


async def test_a_permit_without_a_body_sets_no_date(
    service: Service, jobs: Collection[Row]
) -> None:
    jobs.insert_one(encode(a_due_job()))
    released = await service.deliver(NoSlotTransport())
    assert (released.state, released.date) == (State.SCHEDULED, None)
    assert "date" not in (jobs.find_one() or {})

    await service.deliver_later()

    assert service.dates() == [SECOND + HOUR]


async def test_a_relay_that_hangs_up_before_the_body_sets_no_date(
    service: Service, jobs: Collection[Row]
) -> None:
    jobs.insert_one(encode(a_due_job()))

    async def hang_up(begin: Begin) -> Any:
        permit = await begin()
        service.relay.drop_all()
        await until(lambda: not service.relay.open)
        return permit

    class Leaving(PoolTransport):
        async def send(self, mail: Mail, begin: Begin) -> SendResult:
            return await super().send(mail, lambda: hang_up(begin))

    assert isinstance(service.transport, PoolTransport)
    broken = await service.deliver(Leaving(service.transport.pool))
    assert [attempt.kind for attempt in broken.attempts] == [Kind.RELAY]

    await service.deliver_later()

    assert service.dates() == [SECOND + HOUR]


async def test_a_resend_after_a_crash_has_the_date_of_the_fence(
    service: Service, jobs: Collection[Row]
) -> None:
    jobs.insert_one(encode(a_due_job()))
    assert await service.fence.submit(await service.claim()) is not None
    jobs.update_one({}, {"$set": {"lease": DUE}})  # it died, and its lease expired
    recovery = MongoRecovery(mongo=service.mongo, retention=RETENTION, now=service.clock)
    (orphan,) = await recovery.find_orphans(9)
    policy = RetryPolicy()
    job = apply_lease_expiration(orphan.job, begun=orphan.begun, policy=policy, now=service.clock())
    assert await recovery.conclude_orphans([(orphan, Conclusion(claim=orphan.claim, job=job))]) == 1

    await service.deliver_later()

    assert service.dates() == [SECOND]


async def test_a_repeated_fence_keeps_the_first_date(
    service: Service, jobs: Collection[Row]
) -> None:
    jobs.insert_one(encode(a_due_job()))
    claimed = await service.claim()
    first = await service.fence.submit(claimed)
    service.clock.advance(HOUR)

    second = await service.fence.submit(claimed)

    assert first is not None
    assert second is not None
    assert first.date == second.date == SECOND
    assert (jobs.find_one() or {})["date"] == SECOND


async def test_a_resend_of_an_older_versions_mail_has_the_date_of_its_attempt(
    service: Service, jobs: Collection[Row]
) -> None:
    lost = an_attempt(kind=Kind.UNCERTAIN, start_time=DUE, end_time=DUE, code=None)
    jobs.insert_one(encode(a_due_job(state=State.RETRYING, attempts=(lost,), attempt=1)))

    await service.deliver()

    assert service.dates() == [DUE]
    assert (jobs.find_one() or {})["date"] == DUE


async def test_an_older_versions_mail_keeps_its_date_when_it_is_rescheduled(
    service: Service, jobs: Collection[Row]
) -> None:
    lost = an_attempt(kind=Kind.UNCERTAIN, start_time=DUE, end_time=DUE, code=None)
    jobs.insert_one(encode(a_due_job(state=State.RETRYING, attempts=(lost,), attempt=1)))

    await service.change(reschedule)
    await service.deliver_later(2 * HOUR)

    assert service.dates() == [DUE]
