"""Build what lets operators see: gauges, readiness, the counts by state, the status report."""

import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from gcsched import __version__
from gcsched.adapters.mongo.job_counts import MongoTally
from gcsched.rpc.methods.status import StatusMethods
from gcsched.usecases.monitoring.job_counts import Census
from gcsched.usecases.monitoring.status import About, Status
from gcsched.usecases.relays.health import RelayHealth
from gcsched.web.gauges import Levels
from gcsched.web.loop_lag import LoopLag
from gcsched.web.readiness import Dependency
from gcsched.web.relay_trouble import trouble_of
from gcsched.wiring.delivery import Delivery
from gcsched.wiring.relays import RelayParts
from gcsched.wiring.resources import Resources
from gcsched.wiring.stores import StoreWatch


@dataclass(frozen=True, slots=True, kw_only=True)
class Monitoring:
    """What counts jobs, and measures how long the event loop is busy with one thing."""

    census: Census
    loop_lag: LoopLag


def build_monitoring(
    resources: Resources,
    delivery: Delivery,
    relays: RelayParts,
    stores: StoreWatch,
    *,
    admissions_waiting: Callable[[], int],
) -> Monitoring:
    """Show what there is from now on."""
    tally = MongoTally(mongo=resources.mongo)
    census = Census(tally=tally, now=resources.clock, unreadable=tally.unreadable)
    resources.metrics.registry.register(
        Levels(
            sessions=resources.mailers,
            relays_down=lambda: relays.relays.down,
            relays_up=partial(relays_up, relays.healths),
            is_paused=lambda: relays.pausing.is_paused,
            claimed_jobs=lambda: delivery.leases.held,
            admissions_waiting=admissions_waiting,
            job_counts=lambda: census.latest,
        )
    )
    resources.readiness.started(
        *stores.dependencies,
        *[relay(health) for health in relays.healths.values()],
    )
    resources.readiness.watch_for_cut_off(lambda: stores.heartbeat.trouble)
    return Monitoring(census=census, loop_lag=LoopLag(observe=resources.metrics.loop_lag))


def relay(health: RelayHealth) -> Dependency:
    return Dependency(name=f"relay {health.relay}", trouble=lambda: trouble_of(health.report()))


def relays_up(healths: Mapping[str, RelayHealth]) -> dict[str, bool]:
    """Say of each relay that was tried whether it can be used."""
    return {name: is_up for name, each in healths.items() if (is_up := each.is_up) is not None}


def status_methods(
    resources: Resources,
    delivery: Delivery,
    relays: RelayParts,
    stores: StoreWatch,
    census: Census,
) -> StatusMethods:
    """Build what tells how things are, from what this process knows already."""
    about = About(version=__version__, python=platform.python_version(), start_time=resources.clock())
    status = Status(
        census=census,
        lateness=delivery.lateness,
        relays=relays.relays.all,
        sessions=resources.mailers,
        about=about,
        pause=lambda: relays.pausing.pause,
        problems=stores.problems,
        health=lambda relay: relays.healths[relay].report(),
        stores=(stores.mongodb_health, stores.redis_health),
        now=resources.clock,
    )
    return StatusMethods(status=status)
