"""Builds the service from settings and open resources, and puts its loops in order."""

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
    build_schedule_methods,
    build_template_methods,
)
from gcsched.wiring.background import NamedLoop
from gcsched.wiring.delivery import Delivery, build_delivery
from gcsched.wiring.monitoring import Monitoring, build_monitoring, build_status_methods
from gcsched.wiring.recovery import Recovery, build_recovery
from gcsched.wiring.relays import RelaySubsystem, build_relays
from gcsched.wiring.resources import Resources
from gcsched.wiring.stores import StoreMonitoring, build_store_monitoring


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """The handlers of calls, and the loops in the order in which to start them."""

    handlers: Handlers
    submit: Submit
    daily_run: DailyRun
    jobs: MongoJobReader
    loops: tuple[NamedLoop, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subsystems:
    """All subsystems, in the order in which they are built: each may use those above it."""

    wake_ups: WakeUps
    indexes: IndexKeeper
    relays: RelaySubsystem
    delivery: Delivery
    admission: Admission
    recovery: Recovery
    stores: StoreMonitoring
    monitoring: Monitoring


def assemble(settings: Settings, resources: Resources) -> Service:
    """Build all objects by plain constructor calls, which neither wait nor start anything."""
    built = build_subsystems(settings, resources)
    return Service(
        handlers=build_handlers(settings, resources, built),
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
    # A statement that fails for a missing index has the indexes checked at once.
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


def build_handlers(settings: Settings, resources: Resources, built: Subsystems) -> Handlers:
    """Build the handlers of the methods of the contract."""
    check_admission, submit = built.indexes.check_admission, built.admission.submit
    return Handlers(
        schedule=build_schedule_methods(settings, resources, submit),
        read_jobs=management.build_read_job_methods(resources),
        change_jobs=management.build_change_job_methods(
            settings, resources, built.wake_ups, check_admission
        ),
        sending=SendingMethods(
            daily_run=built.recovery.daily_run,
            pausing=built.relays.transport,
            now=resources.clock,
        ),
        status=build_status_methods(
            resources, built.delivery, built.relays, built.stores, built.monitoring.job_counts
        ),
        suppressions=management.build_suppression_methods(settings, resources),
        recipients=management.build_recipient_methods(resources),
        templates=build_template_methods(settings, resources, submit),
    )


def start_order(
    settings: Settings, resources: Resources, built: Subsystems
) -> tuple[NamedLoop, ...]:
    """Return all loops: they start from first to last and stop one by one from last to first."""
    delivery, recovery, stores = built.delivery, built.recovery, built.stores
    mailers, checks = resources.mailers, built.relays.checks
    workers = partial(delivery.workers.run, grace=policies.stop_grace(settings))
    return (
        # Checks stop last: operators see the state of the stores until all other loops have ended.
        ("mongodb check", stores.mongodb.run),
        ("mongodb write probe", stores.writes.run),
        ("redis check", stores.redis.run),
        ("mongodb health", stores.mongodb_health.run),
        ("redis health", stores.redis_health.run),
        ("heartbeat", stores.heartbeat.run),
        ("job counts", built.monitoring.job_counts.run),
        ("event loop lag", built.monitoring.loop_lag.run),
        ("indexes", built.indexes.run),  # admission checks them before each write
        # All loops below schedule wake-ups, some of them as they end.
        ("wake-ups", built.wake_ups.run),
        ("sweep", recovery.sweep.run),  # the ARQ workers call it
        ("address folding", recovery.folding.run),  # repairs stored addresses
        # They receive wake-ups, which the engine does not need once it has stopped.
        ("arq workers", recovery.workers.run),
        ("clock", resources.clock.run),  # all others go on with the last offset
        ("redis clock", recovery.redis_clock.run),  # only compares the two clocks
        ("recipients", built.admission.recipients.run),  # each write of admission adds user details
        ("admission", built.admission.group.run),  # calls have ended before: see app.py
        ("sending pause", built.relays.transport.run),  # the gate of the engine and the workers
        # The workers add markers, the recorder removes them.
        ("sent markers", delivery.sent_markers.run),
        ("leases", delivery.leases.run),  # renewed until the outcomes are written
        ("outcome recorder", delivery.recorder.run),  # writes the last outcomes of the workers
        ("fence", delivery.fence.run),  # the workers pass it before each body
        # The workers and the checks use the sessions; these loops close idle ones.
        *[(f"sessions with {mailer.name}", mailer.run) for mailer in mailers],
        ("workers", workers),  # gets the whole grace: the loops below end at once
        *[(f"checks of {name}", check.run) for name, check in checks.items()],
        ("engine", delivery.engine.run),  # stops first, together with the calls: no more claims
    )
