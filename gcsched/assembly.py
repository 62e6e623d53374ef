"""Build the service's objects from settings and open resources: plain constructor calls."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from arq.connections import ArqRedis
from redis.asyncio import Redis

from gcsched.adapters.arq import ArqBell, ArqWorkerPool, Tasks, open_arq
from gcsched.adapters.compose import Composer
from gcsched.adapters.mongo.admissions import MongoAdmissions
from gcsched.adapters.mongo.claims import MongoClaims
from gcsched.adapters.mongo.clock import ServerClock
from gcsched.adapters.mongo.connection import Mongo
from gcsched.adapters.mongo.jobs import MongoJobs
from gcsched.adapters.mongo.outcomes import MongoOutcomes
from gcsched.adapters.mongo.recipients import MongoRecipients
from gcsched.adapters.mongo.recovery import MongoRecovery
from gcsched.adapters.mongo.runs import MongoRuns
from gcsched.adapters.mongo.suppressions import MongoSuppressions
from gcsched.adapters.redis import RedisMarks
from gcsched.adapters.redis_clock import RedisClockWatch
from gcsched.adapters.smtp.pool import Pool
from gcsched.adapters.templates import Templates
from gcsched.domain.due import DailyPlan
from gcsched.domain.job import CLAIMABLE
from gcsched.domain.retry import OnUncertain, RetryPolicy
from gcsched.parts import Loop
from gcsched.relaying import RelayFactory
from gcsched.settings import Settings
from gcsched.usecases.crew import Crew
from gcsched.usecases.daily import DailyRun
from gcsched.usecases.deliver import Claimed, Deliver, Fence
from gcsched.usecases.engine import Engine
from gcsched.usecases.group import Group
from gcsched.usecases.lanes import Lanes
from gcsched.usecases.leases import Leases
from gcsched.usecases.marks import AcceptedMarks
from gcsched.usecases.ports import Conclusion, Gate, Permit
from gcsched.usecases.recipients import RecipientNotes
from gcsched.usecases.record import Recorder
from gcsched.usecases.ringer import Ringer
from gcsched.usecases.submit import AdmissionWrite, Asked, JobFactory, Stored, Submit
from gcsched.usecases.suppress import SuppressingOutcomes
from gcsched.usecases.sweep import EVERY, Sweep

CLAIMED_PER_SESSION = 16
BITE_PER_SESSION = 4
LINGER = timedelta(milliseconds=2)

NamedLoop = tuple[str, Loop]


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What is open while the service runs."""

    mongo: Mongo
    redis: Redis
    arq: ArqRedis
    mailers: Sequence[Pool]
    templates: Templates
    clock: ServerClock


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """The loops in the order to start them, to be stopped in reverse; the engine is the last."""

    submit: Submit
    daily_run: DailyRun
    jobs: MongoJobs
    loops: tuple[NamedLoop, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What carries claimed jobs through."""

    claims: MongoClaims
    leases: Leases
    crew: Crew
    gate: Gate
    loops: tuple[NamedLoop, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """What accepts requests."""

    submit: Submit
    loops: tuple[NamedLoop, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Upkeep:
    """What happens by itself: the sweep, the daily run, ARQ's workers, the server's clock."""

    daily_run: DailyRun
    loops: tuple[NamedLoop, ...]


def assemble(settings: Settings, resources: Resources) -> Service:
    nudged = asyncio.Event()
    ringer = Ringer(
        bell=ArqBell(redis=resources.arq, now=resources.clock),
        nudge=nudged.set,
        now=resources.clock,
    )
    delivery = build_delivery(settings, resources, ringer)
    admission = build_admission(settings, resources, ringer)
    upkeep = build_upkeep(settings, resources, ringer, delivery.claims)
    engine = Engine(
        claims=delivery.claims,
        suppressions=MongoSuppressions(mongo=resources.mongo),
        leases=delivery.leases,
        crew=delivery.crew,
        gate=delivery.gate,
        bite=settings.smtp_sessions * BITE_PER_SESSION,
        ring_for_others=ringer.ring_for_others,
        now=resources.clock,
        nudged=nudged,
    )
    loops = (
        ("ringer", ringer.run),
        *delivery.loops,
        *admission.loops,
        *upkeep.loops,
        ("engine", engine.run),
    )
    return Service(
        submit=admission.submit, daily_run=upkeep.daily_run, jobs=MongoJobs(), loops=loops
    )


def build_delivery(settings: Settings, resources: Resources, ringer: Ringer) -> Delivery:
    claims = MongoClaims(mongo=resources.mongo)
    marks = AcceptedMarks(RedisMarks(redis=resources.redis))
    lanes = Lanes(limit=places_per_domain(settings), now=resources.clock)
    leases = Leases(claims, capacity=most_claimed(settings), parked=lanes.parked)

    def settle(conclusion: Conclusion) -> None:
        leases.settle(conclusion)
        marks.forget(conclusion)
        if conclusion.job.state in CLAIMABLE:
            ringer.ask(conclusion.job.due)

    outcomes = SuppressingOutcomes(
        outcomes=MongoOutcomes(mongo=resources.mongo, retention=retention(settings)),
        suppressions=MongoSuppressions(mongo=resources.mongo),
        lasting=timedelta(days=settings.suppression_days),
    )
    recorder = Recorder(outcomes, on_recorded=settle)
    relays = RelayFactory(
        per_second=settings.smtp_rate, burst=settings.smtp_burst, redis=resources.redis
    ).relays_over(resources.mailers)
    fence: Group[Claimed, Permit | None] = Group(Fence(claims=claims))
    deliver = Deliver(
        composer=composer(settings, resources.templates),
        carrier=relays,
        fence=fence,
        policy=retry_policy(settings),
        now=resources.clock,
        chance=random.random,
    )
    size = settings.smtp_sessions
    crew = Crew(deliver=deliver, recorder=recorder, marks=marks, lanes=lanes, size=size)
    grace = timedelta(seconds=settings.stop_grace_seconds)
    loops: tuple[NamedLoop, ...] = (
        ("marks", marks.run),
        ("leases", leases.run),
        ("recorder", recorder.run),
        ("fence", fence.run),
        *[(f"sessions with {mailer.name}", mailer.run) for mailer in resources.mailers],
        ("crew", partial(crew.run, grace=grace)),
    )
    return Delivery(claims=claims, leases=leases, crew=crew, gate=relays, loops=loops)


def build_admission(settings: Settings, resources: Resources, ringer: Ringer) -> Admission:
    recipients = RecipientNotes(store=MongoRecipients(mongo=resources.mongo))
    admissions = MongoAdmissions(mongo=resources.mongo)
    write = AdmissionWrite(admissions=admissions, ringer=ringer, recipients=recipients)
    group: Group[Asked, Stored] = Group(write, linger=LINGER, waiting=settings.admission_waiting)
    domain = settings.sender_email.rpartition("@")[2].encode("idna").decode()
    factory = JobFactory(
        daily=daily_plan(settings), message_id_domain=domain, keep_trying=keep_trying(settings)
    )
    submit = Submit(make_job=factory, group=group, now=resources.clock)
    loops: tuple[NamedLoop, ...] = (("recipients", recipients.run), ("admission", group.run))
    return Admission(submit=submit, loops=loops)


def build_upkeep(
    settings: Settings, resources: Resources, ringer: Ringer, claims: MongoClaims
) -> Upkeep:
    now, mongo = resources.clock, resources.mongo
    runs = MongoRuns(mongo=mongo)
    daily_run = DailyRun(
        runs=runs,
        plan=daily_plan(settings),
        ringer=ringer,
        keep_trying=keep_trying(settings),
        now=now,
    )
    sweep = Sweep(
        claims=claims,
        recovery=MongoRecovery(mongo=mongo, retention=retention(settings), now=now),
        runs=runs,
        marks=RedisMarks(redis=resources.redis),
        daily_run=daily_run,
        ringer=ringer,
        policy=retry_policy(settings),
        now=now,
    )

    async def after_wake() -> None:
        if await claims.next_due(now=now()):
            ringer.ring_for_others()

    tasks = Tasks(
        on_wake=ringer.hear,
        after_wake=after_wake,
        sweep=partial(sweep.if_unseen, EVERY / 2),
        daily_run=daily_run,
    )
    workers = ArqWorkerPool(
        connect=partial(open_arq, settings.redis_url.get_secret_value()),
        tasks=tasks,
        daily=daily_plan(settings),
        max_jobs=settings.worker_jobs,
        now=now,
    )
    loops: tuple[NamedLoop, ...] = (
        ("sweep", sweep.run),
        ("arq workers", workers.run),
        ("clock", resources.clock.run),
        ("clock of Redis", RedisClockWatch(redis=resources.redis, now=now).run),
    )
    return Upkeep(daily_run=daily_run, loops=loops)


def most_claimed(settings: Settings) -> int:
    """Claim enough for the sessions to stay busy.

    Under a limit no more than they carry at once: granted mails that wait here behind a slow relay
    would all leave together afterwards. Twice as many where slow domains may hold almost all
    sessions: claiming goes on while half of the room is free.
    """
    under_limit = 2 if places_per_domain(settings) else 1
    return settings.smtp_sessions * (under_limit if settings.smtp_rate else CLAIMED_PER_SESSION)


def places_per_domain(settings: Settings) -> int:
    """Give 0 where the sessions are the limit anyway."""
    places = settings.smtp_sessions_per_domain
    return places if places < settings.smtp_sessions else 0


def composer(settings: Settings, templates: Templates) -> Composer:
    return Composer(
        templates=templates,
        sender_email=settings.sender_email,
        sender_name=settings.sender_name,
        timezone=settings.timezone,
    )


def daily_plan(settings: Settings) -> DailyPlan:
    return DailyPlan(at=settings.daily_at, zone=settings.timezone)


def retry_policy(settings: Settings) -> RetryPolicy:
    return RetryPolicy(
        attempts=settings.retry_attempts,
        waits=tuple(timedelta(seconds=seconds) for seconds in settings.retry_waits_seconds),
        on_uncertain=OnUncertain(settings.on_uncertain),
    )


def keep_trying(settings: Settings) -> timedelta:
    return timedelta(hours=settings.not_after_hours)


def retention(settings: Settings) -> timedelta:
    return timedelta(days=settings.retention_days)
