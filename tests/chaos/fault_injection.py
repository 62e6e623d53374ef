"""The injection of each fault into the cluster, and how it is undone."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager

from redis.asyncio import Redis

from tests.chaos.cluster import ChaosCluster, service_name
from tests.chaos.faults import Fault, FaultKind
from tests.chaos.links import Link, LinkFault
from tests.chaos.replica_set import Member
from tests.support.relay.script import (
    Action,
    At,
    Drop,
    Hang,
    LoseReply,
    Moment,
    Trickle,
    repeatable,
)
from tests.support.wrong_clock import clock_offset

ALL_STAGES = {At.CONNECT, At.MAIL, At.RCPT, At.DATA, At.BODY}
SLOW_REPLY = Trickle(0.01)  # seconds for each of its about twenty bytes
MAX_DELAY_SECONDS = 0.15
MAX_CLOCK_OFFSET_SECONDS = 300
CLAIM_SECONDS = 2.0

Injector = Callable[[ChaosCluster, Fault], AbstractAsyncContextManager[None]]


def inject(cluster: ChaosCluster, fault: Fault) -> AbstractAsyncContextManager[None]:
    """Return the context in which *fault* lasts."""
    return INJECTORS[fault.kind](cluster, fault)


# Services


@asynccontextmanager
async def kill_service(cluster: ChaosCluster, fault: Fault) -> AsyncIterator[None]:
    await cluster.services[fault.service].kill()
    yield
    cluster.services[fault.service].launch()


@asynccontextmanager
async def restart_service(cluster: ChaosCluster, fault: Fault) -> AsyncIterator[None]:
    await cluster.services[fault.service].stop()
    yield
    cluster.services[fault.service].launch()


@asynccontextmanager
async def freeze_service(cluster: ChaosCluster, fault: Fault) -> AsyncIterator[None]:
    """Freeze it with claimed jobs that it has not begun; others take them over meanwhile."""
    async with silence_relay(cluster, at=At.MAIL):
        await asyncio.sleep(CLAIM_SECONDS)
        cluster.services[fault.service].freeze()
    yield
    cluster.services[fault.service].thaw()


@asynccontextmanager
async def offset_clock(cluster: ChaosCluster, fault: Fault) -> AsyncIterator[None]:
    service = cluster.services[fault.service]
    original = service.environment
    offset = (fault.random_value * 2 - 1) * MAX_CLOCK_OFFSET_SECONDS
    await service.kill()
    service.environment = {**original, **clock_offset(offset)}
    service.launch()
    yield
    await service.kill()
    service.environment = original
    service.launch()


# MongoDB


@asynccontextmanager
async def kill_primary(cluster: ChaosCluster, _: Fault) -> AsyncIterator[None]:
    async with kill_members([await cluster.replica_set.wait_for_primary()]):
        yield


@asynccontextmanager
async def kill_majority(cluster: ChaosCluster, fault: Fault) -> AsyncIterator[None]:
    survivor = int(fault.random_value * len(cluster.replica_set.members))
    members = [m for number, m in enumerate(cluster.replica_set.members) if number != survivor]
    async with kill_members(members):
        yield


@asynccontextmanager
async def kill_members(members: Sequence[Member]) -> AsyncIterator[None]:
    for member in members:
        member.server.kill()
    yield
    for member in members:
        member.start()


@asynccontextmanager
async def freeze_primary(cluster: ChaosCluster, _: Fault) -> AsyncIterator[None]:
    primary = await cluster.replica_set.wait_for_primary()
    primary.server.freeze()
    yield
    primary.server.resume()


@asynccontextmanager
async def step_down_primary(cluster: ChaosCluster, _: Fault) -> AsyncIterator[None]:
    primary = await cluster.replica_set.wait_for_primary()
    await asyncio.to_thread(primary.command, "replSetStepDown", 5)
    yield


def cut_off_primary(*, refuses: bool) -> Injector:
    @asynccontextmanager
    async def inject_fault(cluster: ChaosCluster, _: Fault) -> AsyncIterator[None]:
        primary = await cluster.replica_set.wait_for_primary()
        assert primary.link is not None
        with primary.link.inject(LinkFault(refuses=refuses)):
            yield

    return inject_fault


@asynccontextmanager
async def slow_mongo(cluster: ChaosCluster, fault: Fault) -> AsyncIterator[None]:
    async with inject_into_links(
        cluster.mongo_links, delay_seconds=fault.random_value * MAX_DELAY_SECONDS
    ):
        yield


@asynccontextmanager
async def reset_mongo_links(cluster: ChaosCluster, _: Fault) -> AsyncIterator[None]:
    for link in cluster.mongo_links:
        link.reset()
    yield


def cut_off_from_mongo(*, refuses: bool) -> Injector:
    def inject_fault(cluster: ChaosCluster, fault: Fault) -> AbstractAsyncContextManager[None]:
        return inject_into_links(
            cluster.mongo_links, owner=service_name(fault.service), refuses=refuses
        )

    return inject_fault


@asynccontextmanager
async def inject_into_links(
    links: Sequence[Link], *, owner: str = "", refuses: bool = False, delay_seconds: float = 0.0
) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        for link in links:
            fault = LinkFault(owner=owner, refuses=refuses, delay_seconds=delay_seconds)
            stack.enter_context(link.inject(fault))
        yield


# Redis


@asynccontextmanager
async def kill_redis(cluster: ChaosCluster, _: Fault) -> AsyncIterator[None]:
    cluster.valkey.kill()
    yield
    await cluster.valkey.start()


@asynccontextmanager
async def freeze_redis(cluster: ChaosCluster, _: Fault) -> AsyncIterator[None]:
    cluster.valkey.freeze()
    yield
    cluster.valkey.resume()


@asynccontextmanager
async def flush_redis(cluster: ChaosCluster, _: Fault) -> AsyncIterator[None]:
    async with Redis.from_url(cluster.valkey.uri) as redis:
        await redis.flushall()
    yield


@asynccontextmanager
async def empty_redis(cluster: ChaosCluster, _: Fault) -> AsyncIterator[None]:
    cluster.valkey.kill()
    shutil.rmtree(cluster.redis_data)
    yield
    await cluster.valkey.start()


@asynccontextmanager
async def roll_back_redis(cluster: ChaosCluster, _: Fault) -> AsyncIterator[None]:
    """Restore the data from the start of the fault, as a failover to a lagging replica does."""
    data, replica = cluster.redis_data, cluster.folder / "lagging"
    shutil.copytree(data, replica)
    yield
    cluster.valkey.kill()
    shutil.rmtree(data)
    replica.rename(data)
    await cluster.valkey.start()


@asynccontextmanager
async def slow_redis(cluster: ChaosCluster, fault: Fault) -> AsyncIterator[None]:
    delay = fault.random_value * MAX_DELAY_SECONDS
    async with inject_into_links(cluster.redis_links, delay_seconds=delay):
        yield


@asynccontextmanager
async def reset_redis_links(cluster: ChaosCluster, _: Fault) -> AsyncIterator[None]:
    for link in cluster.redis_links:
        link.reset()
    yield


def cut_off_from_redis(*, refuses: bool) -> Injector:
    def inject_fault(cluster: ChaosCluster, fault: Fault) -> AbstractAsyncContextManager[None]:
        return inject_into_links([cluster.redis_links[fault.service]], refuses=refuses)

    return inject_fault


# The relay


@asynccontextmanager
async def silence_relay(cluster: ChaosCluster, *, at: str) -> AsyncIterator[None]:
    """Hold back the relay's replies at *at* until the block ends."""
    over = asyncio.Event()
    silence = Hang(until=over)
    cluster.relay.add_rule(
        lambda moment: silence if moment.at == at and not over.is_set() else None
    )
    try:
        yield
    finally:
        over.set()


def script_relay(action: Action, *, at: AbstractSet[str], share: float = 1.0) -> Injector:
    @asynccontextmanager
    async def inject_fault(cluster: ChaosCluster, fault: Fault) -> AsyncIterator[None]:
        chance = repeatable(str(fault.random_value))

        def rule(moment: Moment) -> Action | None:
            return action if moment.at in at and chance.random() < share else None

        cluster.relay.add_rule(rule)
        yield
        cluster.relay.clear_rules()

    return inject_fault


INJECTORS: Mapping[FaultKind, Injector] = {
    FaultKind.SERVICE_KILLED: kill_service,
    FaultKind.SERVICE_FROZEN: freeze_service,
    FaultKind.SERVICE_RESTARTED: restart_service,
    FaultKind.SERVICE_CLOCK_OFF: offset_clock,
    FaultKind.PRIMARY_KILLED: kill_primary,
    FaultKind.PRIMARY_FROZEN: freeze_primary,
    FaultKind.PRIMARY_CUT: cut_off_primary(refuses=True),
    FaultKind.PRIMARY_MUTE: cut_off_primary(refuses=False),
    FaultKind.PRIMARY_STEPPED_DOWN: step_down_primary,
    FaultKind.MAJORITY_KILLED: kill_majority,
    FaultKind.MONGO_SLOW: slow_mongo,
    FaultKind.MONGO_RESET: reset_mongo_links,
    FaultKind.REDIS_KILLED: kill_redis,
    FaultKind.REDIS_FROZEN: freeze_redis,
    FaultKind.REDIS_FLUSHED: flush_redis,
    FaultKind.REDIS_EMPTIED: empty_redis,
    FaultKind.REDIS_LAGGING: roll_back_redis,
    FaultKind.REDIS_SLOW: slow_redis,
    FaultKind.REDIS_RESET: reset_redis_links,
    FaultKind.CUT_FROM_MONGO: cut_off_from_mongo(refuses=True),
    FaultKind.MUTE_FROM_MONGO: cut_off_from_mongo(refuses=False),
    FaultKind.CUT_FROM_REDIS: cut_off_from_redis(refuses=True),
    FaultKind.MUTE_FROM_REDIS: cut_off_from_redis(refuses=False),
    FaultKind.RELAY_HANGS_UP: script_relay(Drop(), at=ALL_STAGES, share=0.3),
    FaultKind.RELAY_LOSES_REPLIES: script_relay(LoseReply(), at={At.BODY}, share=0.3),
    FaultKind.RELAY_SLOW: script_relay(SLOW_REPLY, at={At.BODY}),
}
