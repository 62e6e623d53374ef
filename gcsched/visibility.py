"""Build what lets operators see: gauges, the census, the watch over what we depend on."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from gcsched.adapters import redis
from gcsched.adapters.mongo.tally import MongoTally
from gcsched.delivery import Delivery
from gcsched.parts import NamedLoop
from gcsched.resources import Resources
from gcsched.usecases.census import Census
from gcsched.usecases.indexes import IndexCare
from gcsched.usecases.relay_health import RelayHealth
from gcsched.usecases.submit import Submit
from gcsched.usecases.watch import Watch
from gcsched.web.levels import Levels
from gcsched.web.loop_lag import LoopLag
from gcsched.web.readiness import Dependency
from gcsched.web.relay_trouble import trouble_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Visibility:
    """What is counted in the background, and the loops that keep it true."""

    census: Census
    loops: tuple[NamedLoop, ...]


def build_visibility(
    resources: Resources, delivery: Delivery, submit: Submit, indexes: IndexCare
) -> Visibility:
    """Show what there is from now on."""
    mongodb = Watch(name="mongodb", ask=resources.mongo.ping)
    bell = Watch(name="redis", ask=partial(redis.ping, resources.redis))
    tally = MongoTally(mongo=resources.mongo)
    census = Census(tally=tally, now=resources.clock, unreadable=tally.unreadable)
    resources.metrics.registry.register(
        Levels(
            sessions=resources.mailers,
            relays_down=lambda: delivery.relays.down,
            relays_up=partial(relays_up, delivery.healths),
            is_paused=lambda: delivery.pausing.is_paused,
            claimed_jobs=lambda: delivery.leases.held,
            admissions_waiting=lambda: submit.group.waiting,
            job_counts=lambda: census.latest,
        )
    )
    resources.readiness.started(
        Dependency(name=mongodb.name, trouble=lambda: mongodb.trouble, is_needed=True),
        told_if_wrong("mongodb statements", lambda: resources.mongo.refusals.trouble),
        told_if_wrong("mongodb indexes", lambda: indexes.trouble),
        Dependency(name=bell.name, trouble=lambda: bell.trouble),
        *[relay(health) for health in delivery.healths.values()],
    )
    loops: tuple[NamedLoop, ...] = (
        ("watch over mongodb", mongodb.run),
        ("watch over redis", bell.run),
        ("census", census.run),
        ("event loop lag", LoopLag(observe=resources.metrics.loop_lag).run),
    )
    return Visibility(census=census, loops=loops)


def told_if_wrong(name: str, trouble: Callable[[], str | None]) -> Dependency:
    return Dependency(name=name, trouble=trouble, is_always_told=False)


def relay(health: RelayHealth) -> Dependency:
    return Dependency(name=f"relay {health.relay}", trouble=lambda: trouble_of(health.report()))


def relays_up(healths: Mapping[str, RelayHealth]) -> dict[str, bool]:
    """Say of each relay that was tried whether it can be used."""
    return {name: is_up for name, each in healths.items() if (is_up := each.is_up) is not None}
