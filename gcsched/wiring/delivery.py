"""Builds delivery: the engine, the worker pool, and the recorder."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from gcsched.adapters.mail.composer import Composer
from gcsched.adapters.mail.redirection import RedirectingComposer
from gcsched.adapters.mail.templates import TemplateSet
from gcsched.adapters.mongo.claims import MongoClaims
from gcsched.adapters.mongo.outcomes import MongoOutcomes
from gcsched.adapters.mongo.suppressions import MongoSuppressions
from gcsched.adapters.redis.connection import RedisSentMarkerStore
from gcsched.config.settings import Settings
from gcsched.domain.job import CLAIMABLE, Job
from gcsched.domain.lateness import lateness_of
from gcsched.domain.permit import Permit
from gcsched.usecases.batching import GroupCommit
from gcsched.usecases.delivery.batch_size import BatchSize
from gcsched.usecases.delivery.deliver import ClaimedJob, Deliver, Fence
from gcsched.usecases.delivery.domain_queues import DomainQueues
from gcsched.usecases.delivery.engine import Engine
from gcsched.usecases.delivery.leases import Leases
from gcsched.usecases.delivery.outcomes import OutcomeRecorder, SuppressingOutcomes
from gcsched.usecases.delivery.sent_markers import SentMarkers
from gcsched.usecases.delivery.worker_pool import WorkerPool
from gcsched.usecases.delivery.worker_scaler import WorkerScaler
from gcsched.usecases.monitoring.attempt_record import AttemptRecord
from gcsched.usecases.monitoring.lateness import Lateness
from gcsched.usecases.ports import BatchStep, Conclusion, Outcomes, Transport
from gcsched.usecases.wakeups import WakeUps
from gcsched.web.metrics import Metrics
from gcsched.wiring import policies
from gcsched.wiring.meetings import Meetings
from gcsched.wiring.relays import RelaySubsystem
from gcsched.wiring.resources import Resources
from gcsched.wiring.waking import Waking

# While all sessions are busy: one statement for the mails of most of them costs half of several.
FENCE_LINGER = timedelta(milliseconds=2)
REDIRECTED = "redirected by GCSCHED_REDIRECT_TO"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """The engine claims jobs, the workers send them, the recorder writes their outcomes.

    *attempts* stays empty without a console, which alone shows it.
    """

    claims: MongoClaims
    leases: Leases
    sent_markers: SentMarkers
    recorder: OutcomeRecorder
    fence: GroupCommit[ClaimedJob, Permit | None]
    workers: WorkerPool
    engine: Engine
    lateness: Lateness
    attempts: AttemptRecord


def build_delivery(
    settings: Settings,
    resources: Resources,
    waking: Waking,
    relays: RelaySubsystem,
    meetings: Meetings,
) -> Delivery:
    """Build delivery around *relays*; *waking* makes the engine claim due jobs."""
    claims = MongoClaims(mongo=resources.mongo)
    sent_markers = SentMarkers(RedisSentMarkerStore(redis=resources.redis.keys))
    queues, scaler = build_queues(settings, resources), build_scaler(settings)
    leases = build_leases(settings, claims, queues, scaler)
    lateness = Lateness()
    observe, attempts = make_outcome_observer(resources.metrics, lateness), AttemptRecord()
    record_attempts = attempts.record if settings.console_listen else ignore_jobs

    def observe_all(jobs: Sequence[Job]) -> None:
        observe(jobs)
        record_attempts(jobs)
        meetings.notices.on_outcomes(jobs)

    on_recorded = make_on_recorded(leases, sent_markers, waking.wake_ups, observe_all)
    recorder = build_recorder(settings, resources, on_recorded)
    fence = build_fence(resources, claims, leases, sent_markers)
    deliver = build_deliver(relays.transport, fence, settings, resources)
    workers = WorkerPool(
        deliver=deliver, recorder=recorder, sent_markers=sent_markers, queues=queues, scaler=scaler
    )
    return Delivery(
        claims=claims,
        leases=leases,
        sent_markers=sent_markers,
        recorder=recorder,
        fence=fence,
        workers=workers,
        engine=Engine(
            claims=claims,
            suppressions=MongoSuppressions(mongo=resources.mongo),
            meetings=meetings.claimed,
            on_objection=meetings.notices.notice,
            leases=leases,
            workers=workers,
            gate=relays.transport,
            batch_size=BatchSize(policies.batch_size(settings)),
            wake_others=waking.wake_ups.wake_others,
            now=resources.clock,
            nudged=waking.nudged,
            observer=resources.metrics,
        ),
        lateness=lateness,
        attempts=attempts,
    )


def ignore_jobs(_: Sequence[Job]) -> None:
    """Do nothing: what records attempts where no console shows them."""


def build_queues(settings: Settings, resources: Resources) -> DomainQueues:
    return DomainQueues(slots_per_domain=policies.slots_per_domain(settings), now=resources.clock)


def build_scaler(settings: Settings) -> WorkerScaler:
    return WorkerScaler(
        size=policies.workers(settings), max_extra=policies.max_extra_workers(settings)
    )


def build_leases(
    settings: Settings, claims: MongoClaims, queues: DomainQueues, scaler: WorkerScaler
) -> Leases:
    return Leases(
        claims,
        capacity=policies.max_claimed(settings),
        # Jobs that wait for a slot, and stuck workers, must not stop claims for other domains.
        exempt_count=lambda: queues.count_waiting() + scaler.count_stuck(),
    )


def build_recorder(
    settings: Settings, resources: Resources, on_recorded: Callable[[Sequence[Conclusion]], None]
) -> OutcomeRecorder:
    return OutcomeRecorder(
        build_outcomes(settings, resources),
        on_recorded=on_recorded,
        on_batch=partial(resources.metrics.on_batch, BatchStep.OUTCOME),
    )


def build_fence(
    resources: Resources, claims: MongoClaims, leases: Leases, sent_markers: SentMarkers
) -> GroupCommit[ClaimedJob, Permit | None]:
    fence = Fence(
        claims=claims,
        find_lease_end=leases.find_end,
        settle_markers=sent_markers.settle,
        now=resources.clock,
    )
    return GroupCommit(
        fence.begin,
        linger=FENCE_LINGER,
        on_batch=partial(resources.metrics.on_batch, BatchStep.FENCE),
    )


def build_outcomes(settings: Settings, resources: Resources) -> Outcomes:
    outcomes = MongoOutcomes(mongo=resources.mongo, retention=policies.retention(settings))
    if settings.redirect_to:
        return outcomes  # a relay's refusal is about that address, not about the job's
    return SuppressingOutcomes(
        outcomes=outcomes,
        suppressions=MongoSuppressions(mongo=resources.mongo),
        duration=policies.suppression_duration(settings),
    )


def make_outcome_observer(metrics: Metrics, lateness: Lateness) -> Callable[[Sequence[Job]], None]:
    """Return the function that counts the outcomes of a batch."""

    def observe(jobs: Sequence[Job]) -> None:
        late = [each for job in jobs if (each := lateness_of(job)) is not None]
        metrics.on_outcomes(jobs, late)
        lateness.record(late)

    return observe


def make_on_recorded(
    leases: Leases,
    sent_markers: SentMarkers,
    wake_ups: WakeUps,
    observe: Callable[[Sequence[Job]], None],
) -> Callable[[Sequence[Conclusion]], None]:
    """Return the function that is called with each batch of conclusions that is stored."""

    def on_recorded(batch: Sequence[Conclusion]) -> None:
        # Only now: until the outcomes are stored leases are renewed and markers are needed.
        for conclusion in batch:
            leases.release(conclusion)
        sent_markers.remove(batch)
        jobs = [conclusion.job for conclusion in batch]
        observe(jobs)
        for due_time in {job.due_time for job in jobs if job.state in CLAIMABLE}:
            wake_ups.schedule(due_time)

    return on_recorded


def build_deliver(
    transport: Transport,
    fence: GroupCommit[ClaimedJob, Permit | None],
    settings: Settings,
    resources: Resources,
) -> Deliver:
    return Deliver(
        composer=build_composer(settings, resources.templates),
        transport=transport,
        fence=fence,
        policy=policies.retry_policy(settings),
        now=resources.clock,
        chance=random.random,
        allowed=settings.allowed_recipients,
        note=REDIRECTED if settings.redirect_to else "",
        find_digest=resources.templates.find_digest,
    )


def build_composer(settings: Settings, templates: TemplateSet) -> Composer:
    build: Callable[..., Composer] = Composer
    if settings.redirect_to:
        build = partial(RedirectingComposer, redirect_to=settings.redirect_to)
    return build(
        templates=templates,
        sender_email=settings.sender_email,
        sender_name=settings.sender_name,
        timezone=settings.timezone,
        more_senders=settings.senders,
        has_invite_file=settings.invite_file,
    )
