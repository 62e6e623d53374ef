"""The marks of accepted mails on a real Redis."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from redis.asyncio import Redis

from gcsched.adapters.redis.connection import RedisMarks, open_pool


@asynccontextmanager
async def marks_at(url: str) -> AsyncIterator[RedisMarks]:
    client = Redis(connection_pool=open_pool(url))
    try:
        yield RedisMarks(redis=client)
    finally:
        await client.aclose(close_connection_pool=True)
