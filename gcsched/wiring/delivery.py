"""Build what carries claimed jobs through."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from gcsched.adapters.mail.composer import Composer
from gcsched.adapters.mail.templates import TemplateSet
from gcsched.adapters.mongo.claims import MongoClaims
from gcsched.adapters.mongo.outcomes import MongoOutcomes
from gcsched.adapters.mongo.pauses import MongoPauses
from gcsched.adapters.mongo.suppressions import MongoSuppressions
from gcsched.adapters.redis.connection import RedisMarks
from gcsched.adapters.smtp.pool import Pool
from gcsched.config.settings import Settings
from gcsched.domain.job import CLAIMABLE, Job
from gcsched.domain.permit import Permit
from gcsched.usecases.batching import Group
from gcsched.usecases.delivery.deliver import Claimed, Deliver, Fence
from gcsched.usecases.delivery.domain_queues import Lanes
from gcsched.usecases.delivery.leases import Leases
from gcsched.usecases.delivery.outcomes import Recorder
from gcsched.usecases.delivery.sent_markers import AcceptedMarks
from gcsched.usecases.delivery.staffing import Staffing
from gcsched.usecases.delivery.suppress import SuppressingOutcomes
from gcsched.usecases.delivery.worker_pool import Crew
from gcsched.usecases.monitoring.lateness import Lateness, lateness_of
from gcsched.usecases.ports import Carrier, Conclusion, Outcomes, Step
from gcsched.usecases.relays.checks import RelayChecks
from gcsched.usecases.relays.failover import Relays
from gcsched.usecases.relays.health import RelayHealth
from gcsched.usecases.relays.pause import Pausing
from gcsched.usecases.wakeups import Ringer
from gcsched.web.metrics import Metrics
from gcsched.wiring import policies
from gcsched.wiring.background import NamedLoop
from gcsched.wiring.relays import RelayFactory
from gcsched.wiring.resources import Resources


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """*pausing* is also the gate before the claiming."""

    claims: MongoClaims
    leases: Leases
    crew: Crew
    relays: Relays
    healths: Mapping[str, RelayHealth]
    pausing: Pausing
    lateness: Lateness
    loops: tuple[NamedLoop, ...]


def build_delivery(settings: Settings, resources: Resources, ringer: Ringer) -> Delivery:
    claims = MongoClaims(mongo=resources.mongo)
    marks = AcceptedMarks(RedisMarks(redis=resources.redis))
    lanes = Lanes(limit=policies.places_per_domain(settings), now=resources.clock)
    staffing = Staffing(size=settings.smtp_sessions, relief=policies.relief(settings))
    leases = Leases(
        claims,
        capacity=policies.most_claimed(settings),
        parked=lambda: lanes.parked() + staffing.stuck(),
    )
    lateness = Lateness()
    recorder = Recorder(
        outcomes(settings, resources),
        on_recorded=settling(leases, marks, ringer, observing(resources.metrics, lateness)),
        on_batch=partial(resources.metrics.batch, Step.OUTCOME),
    )
    healths = {
        mailer.name: RelayHealth(relay=mailer.name, now=resources.clock)
        for mailer in resources.mailers
    }
    relays = relays_over(settings, resources, healths)
    pausing = Pausing(relays, MongoPauses(mongo=resources.mongo))
    fence = Group(
        Fence(claims=claims, now=resources.clock),
        on_batch=partial(resources.metrics.batch, Step.FENCE),
    )
    deliver = deliver_by(pausing, fence, settings, resources)
    crew = Crew(
        deliver=deliver,
        recorder=recorder,
        marks=marks,
        lanes=lanes,
        staffing=staffing,
    )
    loops: tuple[NamedLoop, ...] = (
        ("pause", pausing.run),
        ("marks", marks.run),
        ("leases", leases.run),
        ("recorder", recorder.run),
        ("fence", fence.run),
        *[(f"sessions with {mailer.name}", mailer.run) for mailer in resources.mailers],
        ("crew", partial(crew.run, grace=policies.stop_grace(settings))),
        *checks_of(relays, resources.mailers, healths),  # last: they need no grace
    )
    return Delivery(
        claims=claims,
        leases=leases,
        crew=crew,
        relays=relays,
        healths=healths,
        pausing=pausing,
        lateness=lateness,
        loops=loops,
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
            ringer.ask(conclusion.job.due)

    return settle


def relays_over(
    settings: Settings, resources: Resources, healths: Mapping[str, RelayHealth]
) -> Relays:
    factory = RelayFactory(
        per_second=settings.smtp_rate,
        burst=settings.smtp_burst,
        redis=resources.redis,
        healths=healths,
    )
    return factory.relays_over(resources.mailers)


def checks_of(
    relays: Relays, mailers: Sequence[Pool], healths: Mapping[str, RelayHealth]
) -> list[NamedLoop]:
    return [
        (
            f"checks of {mailer.name}",
            RelayChecks(
                sessions=mailer, relay=relay, health=healths[mailer.name], wake=relays.wake
            ).run,
        )
        for relay, mailer in zip(relays.all, mailers, strict=True)
    ]


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
