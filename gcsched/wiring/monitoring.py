"""Builds monitoring: gauges, readiness, job counts, and the status report."""

import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from gcsched import __version__
from gcsched.adapters.mongo.history import MongoHistory
from gcsched.adapters.mongo.job_counts import MongoJobCounter
from gcsched.process.zone_data import find_zone_version
from gcsched.rpc.methods.status import StatusMethods
from gcsched.usecases.monitoring.history import HistoryRecorder
from gcsched.usecases.monitoring.job_counts import CachedJobCounts
from gcsched.usecases.monitoring.status import (
    AccessReport,
    ReadStatus,
    SendingReport,
    ServiceInfo,
)
from gcsched.usecases.relays.health import RelayHealth
from gcsched.web.gauges import CertificateGauges, Gauges
from gcsched.web.loop_lag import LoopLag
from gcsched.web.readiness import Dependency
from gcsched.web.relay_problem import describe_relay_problem
from gcsched.wiring.access import Access, make_access_dependency
from gcsched.wiring.delivery import Delivery
from gcsched.wiring.relays import RelaySubsystem
from gcsched.wiring.resources import Resources
from gcsched.wiring.stores import StoreMonitoring


@dataclass(frozen=True, slots=True, kw_only=True)
class Monitoring:
    """The loops that count jobs, measure the lag of the event loop, and store the history."""

    job_counts: CachedJobCounts
    loop_lag: LoopLag
    history: HistoryRecorder


@dataclass(frozen=True, slots=True, kw_only=True)
class Monitored:
    """The subsystems whose state is shown; *access* is None if access is not controlled."""

    delivery: Delivery
    relays: RelaySubsystem
    stores: StoreMonitoring
    access: Access | None
    report_access: Callable[[], AccessReport]
    sending: SendingReport


def build_monitoring(
    resources: Resources, parts: Monitored, *, admissions_waiting: Callable[[], int]
) -> Monitoring:
    """Build monitoring, and register its gauges and dependencies."""
    delivery, relays, stores, access = parts.delivery, parts.relays, parts.stores, parts.access
    counter = MongoJobCounter(mongo=resources.mongo)
    job_counts = CachedJobCounts(
        counter=counter, now=resources.clock, count_unreadable=counter.count_unreadable
    )
    resources.metrics.registry.register(
        Gauges(
            sessions=resources.mailers,
            relays_down=lambda: relays.failover.down,
            relays_up=partial(find_relays_up, relays.healths),
            is_paused=lambda: relays.transport.is_paused,
            claimed_jobs=lambda: delivery.leases.job_count,
            admissions_waiting=admissions_waiting,
            job_counts=lambda: job_counts.latest,
        )
    )
    resources.metrics.registry.register(
        CertificateGauges(ends=resources.tls.ends, failures=resources.tls.failures)
    )
    resources.readiness.set_dependencies(
        *stores.dependencies,
        *resources.tls.dependencies(),
        *[make_relay_dependency(health) for health in relays.healths.values()],
        *([] if access is None else [make_access_dependency(access)]),
    )
    resources.readiness.set_isolation_check(lambda: stores.heartbeat.problem)
    return Monitoring(
        job_counts=job_counts,
        loop_lag=LoopLag(observe=resources.metrics.on_loop_lag),
        history=build_history_recorder(resources, job_counts),
    )


def build_history_recorder(resources: Resources, job_counts: CachedJobCounts) -> HistoryRecorder:
    def find_oldest_due() -> timedelta | None:
        return None if job_counts.latest is None else job_counts.latest.oldest_due_lateness

    return HistoryRecorder(
        events=resources.metrics.events,
        store=MongoHistory(mongo=resources.mongo),
        oldest_due=find_oldest_due,
        now=resources.clock,
    )


def make_relay_dependency(health: RelayHealth) -> Dependency:
    return Dependency(
        name=f"relay {health.relay}", problem=lambda: describe_relay_problem(health.report())
    )


def find_relays_up(healths: Mapping[str, RelayHealth]) -> dict[str, bool]:
    """Return for each relay that was tried whether it can be used."""
    return {name: is_up for name, each in healths.items() if (is_up := each.is_up) is not None}


def build_status_methods(
    resources: Resources, parts: Monitored, job_counts: CachedJobCounts
) -> StatusMethods:
    """Build the status report, from what this process knows already."""
    delivery, relays, stores = parts.delivery, parts.relays, parts.stores
    service = ServiceInfo(
        version=__version__,
        python=platform.python_version(),
        zones=find_zone_version(),
        start_time=resources.clock(),
    )
    status = ReadStatus(
        job_counts=job_counts,
        lateness=delivery.lateness,
        relays=relays.failover.relays,
        sessions=resources.mailers,
        service=service,
        pause=lambda: relays.transport.pause,
        problems=stores.problems,
        relay_health=lambda relay: relays.healths[relay].report(),
        stores=(stores.mongodb_health, stores.redis_health),
        access=parts.report_access,
        sending=parts.sending,
        now=resources.clock,
    )
    return StatusMethods(status=status)
