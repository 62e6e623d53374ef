"""Builds recovery: the sweep, the daily run, the ARQ workers, the clock check."""

from dataclasses import dataclass
from functools import partial

from gcsched.adapters.mongo.address_folding import MongoAddressFolding
from gcsched.adapters.mongo.claims import MongoClaims
from gcsched.adapters.mongo.recovery import MongoRecovery
from gcsched.adapters.mongo.runs import MongoRuns
from gcsched.adapters.redis.arq import ArqTasks, ArqWorkerPool
from gcsched.adapters.redis.arq_client import open_arq
from gcsched.adapters.redis.clock import RedisClockCheck
from gcsched.adapters.redis.connection import RedisSentMarkerStore
from gcsched.config.settings import Settings
from gcsched.usecases.recovery.daily_run import DailyRun
from gcsched.usecases.recovery.folding import Folding
from gcsched.usecases.recovery.sweep import EVERY, CheckMeetings, Sweep
from gcsched.usecases.wakeups import WakeUps
from gcsched.wiring import policies
from gcsched.wiring.resources import Resources


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """The sweep repairs, the daily run makes jobs due, the ARQ workers receive wake-ups."""

    daily_run: DailyRun
    sweep: Sweep
    folding: Folding
    workers: ArqWorkerPool
    redis_clock: RedisClockCheck


def build_recovery(
    settings: Settings,
    resources: Resources,
    wake_ups: WakeUps,
    claims: MongoClaims,
    check_meetings: CheckMeetings,
) -> Recovery:
    daily_run = DailyRun(
        runs=MongoRuns(mongo=resources.mongo),
        plan=policies.daily_plan(settings),
        wake_ups=wake_ups,
        keep_trying=policies.keep_trying(settings),
        now=resources.clock,
    )
    sweep = build_sweep(settings, resources, daily_run, claims, check_meetings)
    workers = ArqWorkerPool(
        connect=partial(open_arq, settings.redis_url.get_secret_value()),
        tasks=build_tasks(resources, wake_ups, sweep, claims),
        daily=policies.daily_plan(settings),
        max_jobs=settings.worker_jobs,
        now=resources.clock,
    )
    return Recovery(
        daily_run=daily_run,
        sweep=sweep,
        folding=Folding(store=MongoAddressFolding(mongo=resources.mongo)),
        workers=workers,
        redis_clock=RedisClockCheck(redis=resources.redis.keys, now=resources.clock),
    )


def build_sweep(
    settings: Settings,
    resources: Resources,
    daily_run: DailyRun,
    claims: MongoClaims,
    check_meetings: CheckMeetings,
) -> Sweep:
    mongo, now = resources.mongo, resources.clock
    return Sweep(
        claims=claims,
        recovery=MongoRecovery(mongo=mongo, retention=policies.retention(settings), now=now),
        runs=MongoRuns(mongo=mongo),
        sent_markers=RedisSentMarkerStore(redis=resources.redis.keys),
        daily_run=daily_run,
        wake_ups=daily_run.wake_ups,
        policy=policies.retry_policy(settings),
        now=now,
        observer=resources.metrics,
        check_meetings=check_meetings,
    )


def build_tasks(
    resources: Resources, wake_ups: WakeUps, sweep: Sweep, claims: MongoClaims
) -> ArqTasks:
    async def after_wake_up() -> None:
        # One process took the wake-up; if it left due jobs, another one is woken for them.
        if await claims.has_due_jobs(now=resources.clock()):
            wake_ups.wake_others()

    return ArqTasks(
        on_wake_up=wake_ups.receive,
        after_wake_up=after_wake_up,
        # Half of the interval: two processes sweep once per interval, and jitter skips none.
        sweep=partial(sweep.sweep_if_due, EVERY / 2),
        daily_run=sweep.daily_run.run,
    )
