"""Build what lets operators see: gauges, the census, readiness."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from gcsched.adapters.mongo.job_counts import MongoTally
from gcsched.usecases.monitoring.job_counts import Census
from gcsched.usecases.relays.health import RelayHealth
from gcsched.web.gauges import Levels
from gcsched.web.loop_lag import LoopLag
from gcsched.web.readiness import Dependency
from gcsched.web.relay_trouble import trouble_of
from gcsched.wiring.background import NamedLoop
from gcsched.wiring.delivery import Delivery
from gcsched.wiring.resources import Resources
from gcsched.wiring.stores import StoreWatch


@dataclass(frozen=True, slots=True, kw_only=True)
class Visibility:
    """What is counted in the background, and the loops that keep it true."""

    census: Census
    loops: tuple[NamedLoop, ...]


def build_visibility(
    resources: Resources,
    delivery: Delivery,
    stores: StoreWatch,
    *,
    admissions_waiting: Callable[[], int],
) -> Visibility:
    """Show what there is from now on."""
    tally = MongoTally(mongo=resources.mongo)
    census = Census(tally=tally, now=resources.clock, unreadable=tally.unreadable)
    resources.metrics.registry.register(
        Levels(
            sessions=resources.mailers,
            relays_down=lambda: delivery.relays.down,
            relays_up=partial(relays_up, delivery.healths),
            is_paused=lambda: delivery.pausing.is_paused,
            claimed_jobs=lambda: delivery.leases.held,
            admissions_waiting=admissions_waiting,
            job_counts=lambda: census.latest,
        )
    )
    resources.readiness.started(
        *stores.dependencies,
        *[relay(health) for health in delivery.healths.values()],
    )
    resources.readiness.watch_for_cut_off(stores.cut_off)
    loops: tuple[NamedLoop, ...] = (
        *stores.loops,
        ("census", census.run),
        ("event loop lag", LoopLag(observe=resources.metrics.loop_lag).run),
    )
    return Visibility(census=census, loops=loops)


def relay(health: RelayHealth) -> Dependency:
    return Dependency(name=f"relay {health.relay}", trouble=lambda: trouble_of(health.report()))


def relays_up(healths: Mapping[str, RelayHealth]) -> dict[str, bool]:
    """Say of each relay that was tried whether it can be used."""
    return {name: is_up for name, each in healths.items() if (is_up := each.is_up) is not None}
