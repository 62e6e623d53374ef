"""How each fault befalls the stage, and how it is undone."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path

import libfaketime
from redis.asyncio import Redis

from tests.chaos.cluster import Stage, name
from tests.chaos.faults import Fault, Kind
from tests.chaos.links import Link, Trouble
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

EVERYWHERE = {At.CONNECT, At.MAIL, At.RCPT, At.DATA, At.BODY}
SLOWLY = Trickle(0.01)  # an octet, of about twenty
LONGEST_DELAY_SECONDS = 0.15
MOST_CLOCK_OFFSET_SECONDS = 300
HANDS_FULL_SECONDS = 2.0
LIBFAKETIME = Path(libfaketime.__file__).parent / "vendor/libfaketime/src/libfaketime.so.1"

Befall = Callable[[Stage, Fault], AbstractAsyncContextManager[None]]


def befalling(stage: Stage, fault: Fault) -> AbstractAsyncContextManager[None]:
    """Give the block for which *fault* lasts."""
    return BEFALL[fault.kind](stage, fault)


# Services


@asynccontextmanager
async def killed(stage: Stage, fault: Fault) -> AsyncIterator[None]:
    await stage.services[fault.service].kill()
    yield
    stage.services[fault.service].launch()


@asynccontextmanager
async def restarted(stage: Stage, fault: Fault) -> AsyncIterator[None]:
    await stage.services[fault.service].stop()
    yield
    stage.services[fault.service].launch()


@asynccontextmanager
async def frozen(stage: Stage, fault: Fault) -> AsyncIterator[None]:
    """Freeze it with mails in hand that it has not begun, which others take over meanwhile."""
    async with relay_says_nothing(stage, at=At.MAIL):
        await asyncio.sleep(HANDS_FULL_SECONDS)
        stage.services[fault.service].freeze()
    yield
    stage.services[fault.service].thaw()


@asynccontextmanager
async def clock_off(stage: Stage, fault: Fault) -> AsyncIterator[None]:
    victim = stage.services[fault.service]
    ordinary = victim.environment
    offset = (fault.chance * 2 - 1) * MOST_CLOCK_OFFSET_SECONDS
    await victim.kill()
    victim.environment = {
        **ordinary,
        "LD_PRELOAD": str(LIBFAKETIME),
        "FAKETIME": f"{offset:+.1f}s",
        "DONT_FAKE_MONOTONIC": "1",
    }
    victim.launch()
    yield
    await victim.kill()
    victim.environment = ordinary
    victim.launch()


# MongoDB


@asynccontextmanager
async def primary_killed(stage: Stage, _: Fault) -> AsyncIterator[None]:
    async with members_killed([await stage.replica_set.primary()]):
        yield


@asynccontextmanager
async def majority_killed(stage: Stage, fault: Fault) -> AsyncIterator[None]:
    spared = int(fault.chance * len(stage.replica_set.members))
    members = [m for number, m in enumerate(stage.replica_set.members) if number != spared]
    async with members_killed(members):
        yield


@asynccontextmanager
async def members_killed(members: Sequence[Member]) -> AsyncIterator[None]:
    for member in members:
        member.server.kill()
    yield
    for member in members:
        member.start()


@asynccontextmanager
async def primary_frozen(stage: Stage, _: Fault) -> AsyncIterator[None]:
    primary = await stage.replica_set.primary()
    primary.server.stop_signal()
    yield
    primary.server.cont()


@asynccontextmanager
async def stepped_down(stage: Stage, _: Fault) -> AsyncIterator[None]:
    primary = await stage.replica_set.primary()
    await asyncio.to_thread(primary.command, "replSetStepDown", 5)
    yield


def primary_cut(*, refuses: bool) -> Befall:
    @asynccontextmanager
    async def befall(stage: Stage, _: Fault) -> AsyncIterator[None]:
        primary = await stage.replica_set.primary()
        with primary.link.troubled(Trouble(refuses=refuses)):
            yield

    return befall


@asynccontextmanager
async def mongo_slow(stage: Stage, fault: Fault) -> AsyncIterator[None]:
    async with all_troubled(stage.mongo_links, delay_seconds=fault.chance * LONGEST_DELAY_SECONDS):
        yield


@asynccontextmanager
async def mongo_reset(stage: Stage, _: Fault) -> AsyncIterator[None]:
    for link in stage.mongo_links:
        link.reset()
    yield


def cut_from_mongo(*, refuses: bool) -> Befall:
    def befall(stage: Stage, fault: Fault) -> AbstractAsyncContextManager[None]:
        return all_troubled(stage.mongo_links, owner=name(fault.service), refuses=refuses)

    return befall


@asynccontextmanager
async def all_troubled(
    links: Sequence[Link], *, owner: str = "", refuses: bool = False, delay_seconds: float = 0.0
) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        for link in links:
            trouble = Trouble(owner=owner, refuses=refuses, delay_seconds=delay_seconds)
            stack.enter_context(link.troubled(trouble))
        yield


# Redis


@asynccontextmanager
async def redis_killed(stage: Stage, _: Fault) -> AsyncIterator[None]:
    stage.valkey.kill()
    yield
    await stage.valkey.start()


@asynccontextmanager
async def redis_frozen(stage: Stage, _: Fault) -> AsyncIterator[None]:
    stage.valkey.stop_signal()
    yield
    stage.valkey.cont()


@asynccontextmanager
async def redis_flushed(stage: Stage, _: Fault) -> AsyncIterator[None]:
    async with Redis.from_url(stage.valkey.uri) as redis:
        await redis.flushall()
    yield


@asynccontextmanager
async def redis_emptied(stage: Stage, _: Fault) -> AsyncIterator[None]:
    stage.valkey.kill()
    shutil.rmtree(stage.data_of_redis)
    yield
    await stage.valkey.start()


@asynccontextmanager
async def redis_lagging(stage: Stage, _: Fault) -> AsyncIterator[None]:
    """Go on with what Redis had at the beginning, as a replica that had lagged would."""
    data, replica = stage.data_of_redis, stage.folder / "lagging"
    shutil.copytree(data, replica)
    yield
    stage.valkey.kill()
    shutil.rmtree(data)
    replica.rename(data)
    await stage.valkey.start()


@asynccontextmanager
async def redis_slow(stage: Stage, fault: Fault) -> AsyncIterator[None]:
    delay = fault.chance * LONGEST_DELAY_SECONDS
    async with all_troubled(stage.redis_links, delay_seconds=delay):
        yield


@asynccontextmanager
async def redis_reset(stage: Stage, _: Fault) -> AsyncIterator[None]:
    for link in stage.redis_links:
        link.reset()
    yield


def cut_from_redis(*, refuses: bool) -> Befall:
    def befall(stage: Stage, fault: Fault) -> AbstractAsyncContextManager[None]:
        return all_troubled([stage.redis_links[fault.service]], refuses=refuses)

    return befall


# The relay


@asynccontextmanager
async def relay_says_nothing(stage: Stage, *, at: str) -> AsyncIterator[None]:
    """Let it hold back its replies to *at* until the block ends."""
    over = asyncio.Event()
    silence = Hang(until=over)
    stage.relay.rule(lambda moment: silence if moment.at == at and not over.is_set() else None)
    try:
        yield
    finally:
        over.set()


def relay_does(action: Action, *, at: AbstractSet[str], share: float = 1.0) -> Befall:
    @asynccontextmanager
    async def befall(stage: Stage, fault: Fault) -> AsyncIterator[None]:
        chance = repeatable(str(fault.chance))

        def rule(moment: Moment) -> Action | None:
            return action if moment.at in at and chance.random() < share else None

        stage.relay.rule(rule)
        yield
        stage.relay.forgive()

    return befall


BEFALL: Mapping[Kind, Befall] = {
    Kind.SERVICE_KILLED: killed,
    Kind.SERVICE_FROZEN: frozen,
    Kind.SERVICE_RESTARTED: restarted,
    Kind.SERVICE_CLOCK_OFF: clock_off,
    Kind.PRIMARY_KILLED: primary_killed,
    Kind.PRIMARY_FROZEN: primary_frozen,
    Kind.PRIMARY_CUT: primary_cut(refuses=True),
    Kind.PRIMARY_MUTE: primary_cut(refuses=False),
    Kind.PRIMARY_STEPPED_DOWN: stepped_down,
    Kind.MAJORITY_KILLED: majority_killed,
    Kind.MONGO_SLOW: mongo_slow,
    Kind.MONGO_RESET: mongo_reset,
    Kind.REDIS_KILLED: redis_killed,
    Kind.REDIS_FROZEN: redis_frozen,
    Kind.REDIS_FLUSHED: redis_flushed,
    Kind.REDIS_EMPTIED: redis_emptied,
    Kind.REDIS_LAGGING: redis_lagging,
    Kind.REDIS_SLOW: redis_slow,
    Kind.REDIS_RESET: redis_reset,
    Kind.CUT_FROM_MONGO: cut_from_mongo(refuses=True),
    Kind.MUTE_FROM_MONGO: cut_from_mongo(refuses=False),
    Kind.CUT_FROM_REDIS: cut_from_redis(refuses=True),
    Kind.MUTE_FROM_REDIS: cut_from_redis(refuses=False),
    Kind.RELAY_HANGS_UP: relay_does(Drop(), at=EVERYWHERE, share=0.3),
    Kind.RELAY_LOSES_REPLIES: relay_does(LoseReply(), at={At.BODY}, share=0.3),
    Kind.RELAY_SLOW: relay_does(SLOWLY, at={At.BODY}),
}
