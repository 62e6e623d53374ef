"""Build the service from settings and open resources, and put its parts in their order."""

import asyncio
from dataclasses import dataclass
from functools import partial

from gcsched.adapters.mongo.index_repair import MongoIndexes
from gcsched.adapters.mongo.job_reader import MongoJobReader
from gcsched.adapters.redis.arq import ArqWakeUpQueue
from gcsched.config.settings import Settings
from gcsched.rpc.methods.sending import SendingMethods
from gcsched.rpc.servicer import Handlers
from gcsched.usecases.admission.submit import Submit
from gcsched.usecases.recovery.daily_run import DailyRun
from gcsched.usecases.recovery.index_keeper import IndexKeeper
from gcsched.usecases.wakeups import WakeUps
from gcsched.wiring import management, policies
from gcsched.wiring.admission import (
    Admission,
    build_admission,
    schedule_methods,
    template_methods,
)
from gcsched.wiring.background import NamedLoop
from gcsched.wiring.delivery import Delivery, build_delivery
from gcsched.wiring.monitoring import Monitoring, build_monitoring, status_methods
from gcsched.wiring.recovery import Recovery, build_recovery
from gcsched.wiring.relays import RelaySubsystem, build_relays
from gcsched.wiring.resources import Resources
from gcsched.wiring.stores import StoreMonitoring, build_store_monitoring


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What answers calls, and the loops in the order to start them."""

    handlers: Handlers
    submit: Submit
    daily_run: DailyRun
    jobs: MongoJobReader
    loops: tuple[NamedLoop, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subsystems:
    """All parts of a service, built in the order of these lines: each may use those above it."""

    wake_ups: WakeUps
    indexes: IndexKeeper
    relays: RelaySubsystem
    delivery: Delivery
    admission: Admission
    recovery: Recovery
    stores: StoreMonitoring
    monitoring: Monitoring


def assemble(settings: Settings, resources: Resources) -> Service:
    """Build all objects: plain constructor calls, which neither wait nor start anything."""
    built = build_subsystems(settings, resources)
    return Service(
        handlers=handlers(settings, resources, built),
        submit=built.admission.submit,
        daily_run=built.recovery.daily_run,
        jobs=MongoJobReader(),
        loops=start_order(settings, resources, built),
    )


def build_subsystems(settings: Settings, resources: Resources) -> Subsystems:
    nudged = asyncio.Event()
    queue = ArqWakeUpQueue(redis=resources.redis.arq, now=resources.clock)
    wake_ups = WakeUps(queue=queue, nudge=nudged.set, now=resources.clock)
    indexes = IndexKeeper(indexes=MongoIndexes(mongo=resources.mongo))
    resources.mongo.refusals.on_missing_index = indexes.nudged.set
    relays = build_relays(settings, resources)
    delivery = build_delivery(settings, resources, wake_ups, relays, nudged)
    admission = build_admission(settings, resources, wake_ups, indexes.check_admission)
    recovery = build_recovery(settings, resources, wake_ups, delivery.claims)
    stores = build_store_monitoring(settings, resources, recovery, indexes)
    monitoring = build_monitoring(
        resources,
        delivery,
        relays,
        stores,
        admissions_waiting=lambda: admission.group.waiting,
    )
    return Subsystems(
        wake_ups=wake_ups,
        indexes=indexes,
        relays=relays,
        delivery=delivery,
        admission=admission,
        recovery=recovery,
        stores=stores,
        monitoring=monitoring,
    )


def handlers(settings: Settings, resources: Resources, built: Subsystems) -> Handlers:
    """Build what answers the methods of the contract."""
    check_admission, submit = built.indexes.check_admission, built.admission.submit
    return Handlers(
        schedule=schedule_methods(settings, resources, submit),
        read_jobs=management.read_job_methods(resources),
        change_jobs=management.change_job_methods(
            settings, resources, built.wake_ups, check_admission
        ),
        sending=SendingMethods(
            daily_run=built.recovery.daily_run,
            pausing=built.relays.transport,
            now=resources.clock,
        ),
        status=status_methods(
            resources, built.delivery, built.relays, built.stores, built.monitoring.job_counts
        ),
        suppressions=management.suppression_methods(settings, resources),
        recipients=management.recipient_methods(resources),
        templates=template_methods(settings, resources, submit),
    )


def start_order(
    settings: Settings, resources: Resources, built: Subsystems
) -> tuple[NamedLoop, ...]:
    """Return all loops: they start from the top and stop one by one from the bottom."""
    delivery, recovery, stores = built.delivery, built.recovery, built.stores
    mailers, checks = resources.mailers, built.relays.checks
    workers = partial(delivery.workers.run, grace=policies.stop_grace(settings))
    return (
        # What only looks stops last: an operator sees the stores until all others have ended.
        ("watch over mongodb", stores.mongodb.run),
        ("watch over mongodb's writes", stores.writes.run),
        ("watch over redis", stores.redis.run),
        ("health of mongodb", stores.mongodb_health.run),
        ("health of redis", stores.redis_health.run),
        ("heartbeat", stores.heartbeat.run),
        ("census", built.monitoring.job_counts.run),
        ("event loop lag", built.monitoring.loop_lag.run),
        ("indexes", built.indexes.run),  # admission asks it before each write
        ("ringer", built.wake_ups.run),  # all below ask for wake-ups, the last of them at their end
        ("sweep", recovery.sweep.run),  # the workers call it
        ("folding", recovery.folding.run),  # repairs too
        ("arq workers", recovery.workers.run),  # hear wake-ups, which the engine no longer needs
        ("clock", resources.clock.run),  # all go on with what it measured last
        ("clock of Redis", recovery.redis_clock.run),  # only compares it with the other
        ("recipients", built.admission.recipients.run),  # each write of admission leaves it some
        ("admission", built.admission.group.run),  # no call is under way any more: see app.py
        ("pause", built.relays.transport.run),  # the gate of the engine and of the crew
        ("marks", delivery.sent_markers.run),  # the crew makes them, the recorder deletes them
        ("leases", delivery.leases.run),  # kept until the outcomes are written
        ("recorder", delivery.recorder.run),  # writes the crew's last outcomes
        ("fence", delivery.fence.run),  # the crew passes it before each body
        # The crew and the checks use the sessions; these loops close idle ones.
        *[(f"sessions with {mailer.name}", mailer.run) for mailer in mailers],
        ("crew", workers),  # has the whole grace: what is below ends at once
        *[(f"checks of {name}", check.run) for name, check in checks.items()],
        ("engine", delivery.engine.run),  # first to stop, beside the calls: claims nothing more
    )
