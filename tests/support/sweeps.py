"""Replicas that sweep real stores, and orphans as they look there."""

from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from gcsched.adapters.mongo.claims import MongoClaims
from gcsched.adapters.mongo.codec import encode
from gcsched.adapters.mongo.connection import Mongo, open_mongo
from gcsched.adapters.mongo.recovery import MongoRecovery
from gcsched.adapters.mongo.runs import MongoRuns
from gcsched.adapters.redis.connection import RedisSentMarkerStore
from gcsched.domain.due import DailyPlan
from gcsched.domain.retry import OnUncertain, RetryPolicy
from gcsched.usecases.recovery.daily_run import DailyRun
from gcsched.usecases.recovery.sweep import Repair, Sweep
from gcsched.usecases.wakeups import WakeUps
from tests.support.builders import FixedClock, a_claimed_job
from tests.support.rows import Row
from tests.support.sent_markers import open_sent_markers
from tests.support.wakeups import FakeWakeUpQueue

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


AHEAD = datetime(2200, 1, 1, tzinfo=UTC)


AT_TEN = DailyPlan(at=time(10), zone=ZoneInfo("UTC"))


@dataclass(kw_only=True)
class Replica:
    """A sweep, and the wake-ups and nudges that it made."""

    sweep: Sweep
    wake_ups: WakeUps
    queue: FakeWakeUpQueue
    nudges: list[None]
    sent_markers: RedisSentMarkerStore


@dataclass(kw_only=True)
class Replicas:
    """Opens any number of replicas on the test's own stores."""

    mongo_uri: str
    redis_url: str
    stack: AsyncExitStack
    clock: FixedClock = field(default_factory=FixedClock)

    async def open(
        self, *, on_uncertain: OnUncertain = OnUncertain.RESEND, redis_url: str | None = None
    ) -> Replica:
        mongo = await self.stack.enter_async_context(open_mongo(self.mongo_uri))
        sent_markers = await self.stack.enter_async_context(
            open_sent_markers(redis_url or self.redis_url)
        )
        nudges: list[None] = []
        queue = FakeWakeUpQueue()
        wake_ups = WakeUps(queue=queue, nudge=lambda: nudges.append(None), now=self.clock)
        sweep = a_sweep(
            mongo, sent_markers, wake_ups, self.clock, RetryPolicy(on_uncertain=on_uncertain)
        )
        return Replica(
            sweep=sweep, wake_ups=wake_ups, queue=queue, nudges=nudges, sent_markers=sent_markers
        )


def a_sweep(
    mongo: Mongo,
    sent_markers: RedisSentMarkerStore,
    wake_ups: WakeUps,
    clock: FixedClock,
    policy: RetryPolicy,
) -> Sweep:
    runs = MongoRuns(mongo=mongo)
    day = timedelta(days=1)
    return Sweep(
        claims=MongoClaims(mongo=mongo),
        recovery=MongoRecovery(mongo=mongo, retention=timedelta(days=36500), now=clock),
        runs=runs,
        sent_markers=sent_markers,
        daily_run=DailyRun(runs=runs, plan=AT_TEN, wake_ups=wake_ups, keep_trying=day, now=clock),
        wake_ups=wake_ups,
        policy=policy,
        now=clock,
    )


def an_orphan(number: int = 1, *, begun: datetime | None = None, **others: Any) -> Row:
    job = a_claimed_job(id=f"job-{number}", dedup_key=f"key-{number}", **others)
    mark = {} if begun is None else {"begun": begun}
    return encode(job) | {"lease": LONG_AGO} | mark


def without_zeros(report: dict[Repair, int]) -> dict[Repair, int]:
    return {reason: count for reason, count in report.items() if count}
