"""Open the service's two clients of one Redis: one for its own keys, one for ARQ's."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from arq.connections import ArqRedis
from redis.asyncio import Redis

from gcsched.adapters.redis.arq_client import open_arq
from gcsched.adapters.redis.connection import close, open_pool, warn_of_too_few_connections


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisClients:
    """*keys* is for what the service keeps itself, *arq* for wake-ups; each has its own pool."""

    keys: Redis
    arq: ArqRedis


@asynccontextmanager
async def open_redis(url: str, *, sessions: int) -> AsyncIterator[RedisClients]:
    """Make clients for *url*, which connect on first use; close them after the block.

    All *sessions* with relays may ask for a slot at the same time, so the pool has a connection
    more for each of them.
    """
    warn_of_too_few_connections(url)
    async with AsyncExitStack() as stack:
        keys = Redis(connection_pool=open_pool(url, sessions=sessions))
        stack.push_async_callback(close, keys)
        arq = open_arq(url)
        stack.push_async_callback(close, arq)
        yield RedisClients(keys=keys, arq=arq)
