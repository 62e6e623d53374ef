"""Build what lets operators see: gauges, the census, readiness."""

from dataclasses import dataclass

from gcsched.adapters.mongo.tally import MongoTally
from gcsched.delivery import Delivery
from gcsched.parts import NamedLoop
from gcsched.resources import Resources
from gcsched.store_watch import StoreWatch
from gcsched.usecases.census import Census
from gcsched.usecases.relays import Relays
from gcsched.usecases.submit import Submit
from gcsched.web.levels import Levels
from gcsched.web.loop_lag import LoopLag
from gcsched.web.readiness import BREAKER_OPEN, Dependency


@dataclass(frozen=True, slots=True, kw_only=True)
class Visibility:
    """What is counted in the background, and the loops that keep it true."""

    census: Census
    loops: tuple[NamedLoop, ...]


def build_visibility(
    resources: Resources, delivery: Delivery, submit: Submit, stores: StoreWatch
) -> Visibility:
    """Show what there is from now on."""
    tally = MongoTally(mongo=resources.mongo)
    census = Census(tally=tally, now=resources.clock, unreadable=tally.unreadable)
    resources.metrics.registry.register(
        Levels(
            sessions=resources.mailers,
            relays_down=lambda: delivery.relays.down,
            is_paused=lambda: delivery.pausing.is_paused,
            claimed_jobs=lambda: delivery.leases.held,
            admissions_waiting=lambda: submit.group.waiting,
            job_counts=lambda: census.latest,
        )
    )
    resources.readiness.started(
        *stores.dependencies,
        *[relay(name, delivery.relays) for name in delivery.relays.down],
    )
    resources.readiness.watch_for_cut_off(stores.cut_off)
    loops: tuple[NamedLoop, ...] = (
        *stores.loops,
        ("census", census.run),
        ("event loop lag", LoopLag(observe=resources.metrics.loop_lag).run),
    )
    return Visibility(census=census, loops=loops)


def relay(name: str, relays: Relays) -> Dependency:
    def trouble() -> str | None:
        words = relays.troubles[name]
        return None if words is None else f"{BREAKER_OPEN}: {words}"

    return Dependency(name=f"relay {name}", trouble=trouble)
