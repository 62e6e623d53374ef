"""Build what lets operators see: gauges, the census, the watch over what we depend on."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from gcsched.adapters import redis
from gcsched.adapters.mongo.tally import MongoTally
from gcsched.delivery import Delivery
from gcsched.parts import NamedLoop
from gcsched.resources import Resources
from gcsched.usecases.census import Census
from gcsched.usecases.indexes import IndexCare
from gcsched.usecases.relays import Relays
from gcsched.usecases.submit import Submit
from gcsched.usecases.watch import Watch
from gcsched.web.levels import Levels
from gcsched.web.loop_lag import LoopLag
from gcsched.web.readiness import BREAKER_OPEN, Dependency


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
        *[relay(name, delivery.relays) for name in delivery.relays.down],
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


def relay(name: str, relays: Relays) -> Dependency:
    def trouble() -> str | None:
        words = relays.troubles[name]
        return None if words is None else f"{BREAKER_OPEN}: {words}"

    return Dependency(name=f"relay {name}", trouble=trouble)
