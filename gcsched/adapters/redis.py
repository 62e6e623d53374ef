"""Connections to Redis or Valkey, each with a limit on every wait, and the marks kept there."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from redis.asyncio import ConnectionPool, Redis
from redis.commands.core import AsyncScript
from redis.exceptions import RedisError

from gcsched.errors import BellUnavailable

TIMEOUT_SECONDS = 2.0
MOST_CONNECTIONS = 32  # beside one for each session, which may all ask for a slot at once
MARK_LIFE = timedelta(days=1)
PREFIX = "gcsched:sent"

# One command for all marks: packing and parsing one for each is work on the loop.
NOTE = """
for _, key in ipairs(KEYS) do
  redis.call('SET', key, '1', 'EX', ARGV[1])
end
"""


def open_pool(url: str, *, sessions: int = 0) -> ConnectionPool:
    """Open a pool for *url* (redis, rediss or unix); unlimited, a frozen Redis would hang us."""
    return ConnectionPool.from_url(
        url,
        socket_timeout=TIMEOUT_SECONDS,
        socket_connect_timeout=TIMEOUT_SECONDS,
        max_connections=MOST_CONNECTIONS + sessions,
    )


@contextmanager
def bell_errors(doing: str) -> Iterator[None]:
    """Translate the client's errors."""
    try:
        yield
    except (RedisError, OSError, TimeoutError) as error:
        raise BellUnavailable(doing, error) from error


async def ping(redis: Redis) -> None:
    with bell_errors("looking for Redis"):
        await redis.echo("gcsched")


@dataclass(kw_only=True, eq=False)
class RedisMarks:
    """Keep ``gcsched:sent:<job>:<claim>`` for each accepted mail whose outcome is on its way."""

    redis: Redis
    _note: AsyncScript = field(init=False)

    def __post_init__(self) -> None:
        self._note = self.redis.register_script(NOTE)

    async def note(self, marks: Sequence[tuple[str, str]]) -> None:
        with bell_errors("noting accepted mails"):
            await self._note(
                keys=[key(mark) for mark in marks], args=[int(MARK_LIFE.total_seconds())]
            )

    async def forget(self, marks: Sequence[tuple[str, str]]) -> None:
        with bell_errors("forgetting recorded mails"):
            await self.redis.unlink(*[key(mark) for mark in marks])

    async def noted(self, marks: Sequence[tuple[str, str]]) -> Collection[tuple[str, str]]:
        with bell_errors("looking for accepted mails"):
            values = await self.redis.mget([key(mark) for mark in marks])
        return {mark for mark, value in zip(marks, values, strict=True) if value is not None}


def key(mark: tuple[str, str]) -> str:
    return f"{PREFIX}:{mark[0]}:{mark[1]}"
