"""Build the watch over the stores: whether they can be used, and who reaches them."""

from collections.abc import Callable
from dataclasses import dataclass

from gcsched.adapters.mongo.writing import WriteWatch
from gcsched.adapters.redis.failures import remember_failures
from gcsched.adapters.redis.heartbeats import RedisBeats, place_of
from gcsched.adapters.redis.probe import RedisProbe
from gcsched.config.settings import Settings
from gcsched.usecases.monitoring.heartbeat import Heartbeat
from gcsched.usecases.monitoring.store_check import Watch
from gcsched.usecases.monitoring.store_health import StoreHealth
from gcsched.usecases.recovery.indexes import IndexCare
from gcsched.web.readiness import Dependency
from gcsched.wiring.recovery import Recovery
from gcsched.wiring.resources import Resources


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreWatch:
    """Whether the stores can be used: what asks them, and *dependencies* in a probe's words.

    *problems* tells what an operator has to mend.
    """

    mongodb: Watch
    writes: WriteWatch
    redis: Watch
    mongodb_health: StoreHealth
    redis_health: StoreHealth
    heartbeat: Heartbeat
    dependencies: tuple[Dependency, ...]
    problems: Callable[[], list[str]]


def build_store_watch(
    settings: Settings, resources: Resources, recovery: Recovery, indexes: IndexCare
) -> StoreWatch:
    """Watch from now on; what is begun later notes its failures with Redis."""
    writes, refusals = resources.mongo.write_failures, resources.mongo.refusals
    asked = Watch(name="mongodb", ask=resources.mongo.ping)
    probe = RedisProbe(redis=resources.redis.keys, arq=resources.redis.arq)
    probed = Watch(name="redis", ask=probe.ask)
    redis = redis_health(resources, probed, recovery)

    def why_away() -> str | None:
        return asked.trouble or writes.trouble

    def problems() -> list[str]:
        refused = refusals.trouble
        return [*indexes.problems, *([f"MongoDB {refused}"] if refused else ())]

    return StoreWatch(
        mongodb=asked,
        writes=WriteWatch(mongo=resources.mongo),
        redis=probed,
        mongodb_health=mongodb_health(resources, asked, indexes),
        redis_health=redis,
        heartbeat=build_heartbeat(settings, resources, why_away),
        dependencies=(
            Dependency(name="mongodb", trouble=why_away, is_needed=True),
            told_if_wrong("mongodb statements", lambda: refusals.trouble),
            told_if_wrong("mongodb indexes", lambda: indexes.trouble),
            Dependency(name="redis", trouble=lambda: redis.trouble),
        ),
        problems=problems,
    )


def mongodb_health(resources: Resources, asked: Watch, indexes: IndexCare) -> StoreHealth:
    writes, refusals = resources.mongo.write_failures, resources.mongo.refusals
    return StoreHealth(
        name="mongodb",
        troubles=(
            lambda: asked.trouble,
            lambda: writes.trouble,
            lambda: refusals.trouble,
            lambda: indexes.trouble,
        ),
        now=resources.clock,
    )


def redis_health(resources: Resources, probed: Watch, recovery: Recovery) -> StoreHealth:
    failures = remember_failures()
    return StoreHealth(
        name="redis",
        # The worker before single failures: it says what they lead to.
        troubles=(
            lambda: probed.trouble,
            lambda: recovery.workers.trouble,
            lambda: failures.trouble,
        ),
        now=resources.clock,
    )


def build_heartbeat(
    settings: Settings, resources: Resources, why_away: Callable[[], str | None]
) -> Heartbeat:
    place = place_of(settings.mongo_uri.get_secret_value())
    return Heartbeat(
        beats=RedisBeats(redis=resources.redis.keys, place=place),
        is_reached=lambda: why_away() is None,
        is_serving=lambda: resources.readiness.is_serving,
    )


def told_if_wrong(name: str, trouble: Callable[[], str | None]) -> Dependency:
    return Dependency(name=name, trouble=trouble, is_always_told=False)
