"""The markers of accepted mails on a real Redis."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from redis.asyncio import Redis

from gcsched.adapters.redis.connection import RedisSentMarkerStore, open_pool


@asynccontextmanager
async def open_sent_markers(url: str) -> AsyncIterator[RedisSentMarkerStore]:
    client = Redis(connection_pool=open_pool(url))
    try:
        yield RedisSentMarkerStore(redis=client)
    finally:
        await client.aclose(close_connection_pool=True)
