"""Build what happens by itself: the sweep, the daily run, ARQ's workers, the server's clock."""

from dataclasses import dataclass
from functools import partial

from gcsched.adapters.mongo.claims import MongoClaims
from gcsched.adapters.mongo.folding import MongoFolding
from gcsched.adapters.mongo.recovery import MongoRecovery
from gcsched.adapters.mongo.runs import MongoRuns
from gcsched.adapters.redis.arq import ArqWorkerPool, Tasks
from gcsched.adapters.redis.arq_client import open_arq
from gcsched.adapters.redis.clock import RedisClockWatch
from gcsched.adapters.redis.connection import RedisMarks
from gcsched.config.settings import Settings
from gcsched.usecases.recovery.daily_run import DailyRun
from gcsched.usecases.recovery.folding import Folding
from gcsched.usecases.recovery.sweep import EVERY, Sweep
from gcsched.usecases.wakeups import Ringer
from gcsched.wiring import policies
from gcsched.wiring.background import NamedLoop
from gcsched.wiring.resources import Resources


@dataclass(frozen=True, slots=True, kw_only=True)
class Upkeep:
    daily_run: DailyRun
    workers: ArqWorkerPool
    loops: tuple[NamedLoop, ...]


def build_upkeep(
    settings: Settings, resources: Resources, ringer: Ringer, claims: MongoClaims
) -> Upkeep:
    daily_run = DailyRun(
        runs=MongoRuns(mongo=resources.mongo),
        plan=policies.daily_plan(settings),
        ringer=ringer,
        keep_trying=policies.keep_trying(settings),
        now=resources.clock,
    )
    sweep = build_sweep(settings, resources, ringer, daily_run, claims)
    workers = ArqWorkerPool(
        connect=partial(open_arq, settings.redis_url.get_secret_value()),
        tasks=tasks(resources, ringer, sweep, claims),
        daily=policies.daily_plan(settings),
        max_jobs=settings.worker_jobs,
        now=resources.clock,
    )
    loops: tuple[NamedLoop, ...] = (
        ("sweep", sweep.run),
        ("folding", Folding(store=MongoFolding(mongo=resources.mongo)).run),
        ("arq workers", workers.run),
        ("clock", resources.clock.run),
        ("clock of Redis", RedisClockWatch(redis=resources.redis, now=resources.clock).run),
    )
    return Upkeep(daily_run=daily_run, workers=workers, loops=loops)


def build_sweep(
    settings: Settings,
    resources: Resources,
    ringer: Ringer,
    daily_run: DailyRun,
    claims: MongoClaims,
) -> Sweep:
    mongo, now = resources.mongo, resources.clock
    return Sweep(
        claims=claims,
        recovery=MongoRecovery(mongo=mongo, retention=policies.retention(settings), now=now),
        runs=MongoRuns(mongo=mongo),
        marks=RedisMarks(redis=resources.redis),
        daily_run=daily_run,
        ringer=ringer,
        policy=policies.retry_policy(settings),
        now=now,
        observer=resources.metrics,
    )


def tasks(resources: Resources, ringer: Ringer, sweep: Sweep, claims: MongoClaims) -> Tasks:
    async def after_wake() -> None:
        if await claims.next_due(now=resources.clock()):
            ringer.ring_for_others()

    return Tasks(
        on_wake=ringer.hear,
        after_wake=after_wake,
        sweep=partial(sweep.if_unseen, EVERY / 2),
        daily_run=sweep.daily_run,
    )
