"""Build what claims due jobs and carries them through."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from gcsched.adapters.mail.composer import Composer
from gcsched.adapters.mail.templates import TemplateSet
from gcsched.adapters.mongo.claims import MongoClaims
from gcsched.adapters.mongo.outcomes import MongoOutcomes
from gcsched.adapters.mongo.suppressions import MongoSuppressions
from gcsched.adapters.redis.connection import RedisMarks
from gcsched.config.settings import Settings
from gcsched.domain.job import CLAIMABLE, Job
from gcsched.domain.lateness import lateness_of
from gcsched.domain.permit import Permit
from gcsched.usecases.batching import Group
from gcsched.usecases.delivery.deliver import Claimed, Deliver, Fence
from gcsched.usecases.delivery.domain_queues import Lanes
from gcsched.usecases.delivery.engine import Engine
from gcsched.usecases.delivery.leases import Leases
from gcsched.usecases.delivery.outcomes import Recorder, SuppressingOutcomes
from gcsched.usecases.delivery.sent_markers import AcceptedMarks
from gcsched.usecases.delivery.staffing import Staffing
from gcsched.usecases.delivery.worker_pool import Crew
from gcsched.usecases.monitoring.lateness import Lateness
from gcsched.usecases.ports import Carrier, Conclusion, Outcomes, Step
from gcsched.usecases.wakeups import Ringer
from gcsched.web.metrics import Metrics
from gcsched.wiring import policies
from gcsched.wiring.relays import RelayParts
from gcsched.wiring.resources import Resources


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """The engine claims, the crew sends, the recorder writes what came of it."""

    claims: MongoClaims
    leases: Leases
    marks: AcceptedMarks
    recorder: Recorder
    fence: Group[Claimed, Permit | None]
    crew: Crew
    engine: Engine
    lateness: Lateness


def build_delivery(
    settings: Settings,
    resources: Resources,
    ringer: Ringer,
    relays: RelayParts,
    nudged: asyncio.Event,
) -> Delivery:
    """Build it around *relays*; whatever sets *nudged* has the engine look for due jobs."""
    claims = MongoClaims(mongo=resources.mongo)
    marks = AcceptedMarks(RedisMarks(redis=resources.redis.keys))
    lanes = Lanes(limit=policies.places_per_domain(settings), now=resources.clock)
    staffing = Staffing(size=settings.smtp_sessions, relief=policies.relief(settings))
    leases = Leases(
        claims,
        capacity=policies.most_claimed(settings),
        parked=lambda: lanes.parked() + staffing.stuck(),
    )
    lateness = Lateness()
    observe = observing(resources.metrics, lateness)
    recorder = build_recorder(settings, resources, settling(leases, marks, ringer, observe))
    fence = build_fence(resources, claims)
    deliver = deliver_by(relays.pausing, fence, settings, resources)
    crew = Crew(deliver=deliver, recorder=recorder, marks=marks, lanes=lanes, staffing=staffing)
    return Delivery(
        claims=claims,
        leases=leases,
        marks=marks,
        recorder=recorder,
        fence=fence,
        crew=crew,
        engine=Engine(
            claims=claims,
            suppressions=MongoSuppressions(mongo=resources.mongo),
            leases=leases,
            crew=crew,
            gate=relays.pausing,
            bite=policies.bite(settings),
            ring_for_others=ringer.ring_for_others,
            now=resources.clock,
            nudged=nudged,
            observer=resources.metrics,
        ),
        lateness=lateness,
    )


def build_recorder(
    settings: Settings, resources: Resources, on_recorded: Callable[[Conclusion], None]
) -> Recorder:
    return Recorder(
        outcomes(settings, resources),
        on_recorded=on_recorded,
        on_batch=partial(resources.metrics.batch, Step.OUTCOME),
    )


def build_fence(resources: Resources, claims: MongoClaims) -> Group[Claimed, Permit | None]:
    return Group(
        Fence(claims=claims, now=resources.clock),
        on_batch=partial(resources.metrics.batch, Step.FENCE),
    )


def outcomes(settings: Settings, resources: Resources) -> Outcomes:
    return SuppressingOutcomes(
        outcomes=MongoOutcomes(mongo=resources.mongo, retention=policies.retention(settings)),
        suppressions=MongoSuppressions(mongo=resources.mongo),
        lasting=policies.suppression(settings),
    )


def observing(metrics: Metrics, lateness: Lateness) -> Callable[[Job], None]:
    """Give what hears of every outcome."""

    def concluded(job: Job) -> None:
        metrics.concluded(job)
        if (late := lateness_of(job)) is not None:
            lateness.note(late)

    return concluded


def settling(
    leases: Leases, marks: AcceptedMarks, ringer: Ringer, observe: Callable[[Job], None]
) -> Callable[[Conclusion], None]:
    """Give what is to be done when the store knows what became of a claimed job."""

    def settle(conclusion: Conclusion) -> None:
        leases.settle(conclusion)
        marks.forget(conclusion)
        observe(conclusion.job)
        if conclusion.job.state in CLAIMABLE:
            ringer.ask(conclusion.job.due_time)

    return settle


def deliver_by(
    carrier: Carrier,
    fence: Group[Claimed, Permit | None],
    settings: Settings,
    resources: Resources,
) -> Deliver:
    return Deliver(
        composer=composer(settings, resources.templates),
        carrier=carrier,
        fence=fence,
        policy=policies.retry_policy(settings),
        now=resources.clock,
        chance=random.random,
    )


def composer(settings: Settings, templates: TemplateSet) -> Composer:
    return Composer(
        templates=templates,
        sender_email=settings.sender_email,
        sender_name=settings.sender_name,
        timezone=settings.timezone,
    )
