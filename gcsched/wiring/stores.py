"""Builds the checks of the stores: whether they can be used, and which processes reach them."""

from collections.abc import Callable
from dataclasses import dataclass

from gcsched.adapters.mongo.write_checks import WriteProbe
from gcsched.adapters.redis.failures import remember_failures
from gcsched.adapters.redis.heartbeats import RedisHeartbeatStore, hash_mongo_location
from gcsched.adapters.redis.probe import RedisProbe
from gcsched.config.settings import Settings
from gcsched.usecases.monitoring.heartbeat import Heartbeat
from gcsched.usecases.monitoring.store_check import StoreCheck
from gcsched.usecases.monitoring.store_health import StoreHealth
from gcsched.usecases.recovery.index_keeper import IndexKeeper
from gcsched.web.readiness import Dependency
from gcsched.wiring.recovery import Recovery
from gcsched.wiring.resources import Resources


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreMonitoring:
    """The checks of the stores, and their results as *dependencies* of the probes.

    *problems* returns what an operator has to repair.
    """

    mongodb: StoreCheck
    writes: WriteProbe
    redis: StoreCheck
    mongodb_health: StoreHealth
    redis_health: StoreHealth
    heartbeat: Heartbeat
    dependencies: tuple[Dependency, ...]
    problems: Callable[[], list[str]]


def build_store_monitoring(
    settings: Settings, resources: Resources, recovery: Recovery, indexes: IndexKeeper
) -> StoreMonitoring:
    """Build the checks of MongoDB and Redis.

    From this call on, failures of Redis in this process are remembered for its health.
    """
    writes, refusals = resources.mongo.write_failures, resources.mongo.refusals
    mongodb_check = StoreCheck(name="mongodb", ping=resources.mongo.ping)
    probe = RedisProbe(redis=resources.redis.keys, arq=resources.redis.arq)
    redis_check = StoreCheck(name="redis", ping=probe.check)
    redis_health = build_redis_health(resources, redis_check, recovery)

    def why_away() -> str | None:
        return mongodb_check.problem or writes.problem

    def problems() -> list[str]:
        refusal = refusals.problem
        return [*indexes.problems, *([f"MongoDB {refusal}"] if refusal else ())]

    return StoreMonitoring(
        mongodb=mongodb_check,
        writes=WriteProbe(mongo=resources.mongo),
        redis=redis_check,
        mongodb_health=build_mongodb_health(resources, mongodb_check, indexes),
        redis_health=redis_health,
        heartbeat=build_heartbeat(settings, resources, why_away),
        dependencies=(
            Dependency(name="mongodb", problem=why_away, is_needed=True),
            make_quiet_dependency("mongodb statements", lambda: refusals.problem),
            make_quiet_dependency("mongodb indexes", lambda: indexes.problem),
            Dependency(name="redis", problem=lambda: redis_health.problem),
        ),
        problems=problems,
    )


def build_mongodb_health(
    resources: Resources, mongodb_check: StoreCheck, indexes: IndexKeeper
) -> StoreHealth:
    writes, refusals = resources.mongo.write_failures, resources.mongo.refusals
    return StoreHealth(
        name="mongodb",
        problem_checks=(
            lambda: mongodb_check.problem,
            lambda: writes.problem,
            lambda: refusals.problem,
            lambda: indexes.problem,
        ),
        now=resources.clock,
    )


def build_redis_health(
    resources: Resources, redis_check: StoreCheck, recovery: Recovery
) -> StoreHealth:
    failures = remember_failures()
    return StoreHealth(
        name="redis",
        # The worker comes before single failures: its problem says what they lead to.
        problem_checks=(
            lambda: redis_check.problem,
            lambda: recovery.workers.problem,
            lambda: failures.problem,
        ),
        now=resources.clock,
    )


def build_heartbeat(
    settings: Settings, resources: Resources, why_away: Callable[[], str | None]
) -> Heartbeat:
    location = hash_mongo_location(settings.mongo_uri.get_secret_value())
    return Heartbeat(
        store=RedisHeartbeatStore(redis=resources.redis.keys, mongo_location=location),
        is_reached=lambda: why_away() is None,
        is_serving=lambda: resources.readiness.is_serving,
    )


def make_quiet_dependency(name: str, problem: Callable[[], str | None]) -> Dependency:
    return Dependency(name=name, problem=problem, is_always_reported=False)
