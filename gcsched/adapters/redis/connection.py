"""Connections to Redis or Valkey with a time limit on every wait, and the sent markers."""

import secrets
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha1
from typing import Any

import structlog
from redis.asyncio import ConnectionPool, Redis
from redis.exceptions import NoScriptError

from gcsched.adapters.redis.advice import describe_redis_error, is_refusal
from gcsched.adapters.redis.failures import FAILURES
from gcsched.adapters.redis.replies import InvalidReply, expect_null, expect_values
from gcsched.adapters.redis.url import pool_options
from gcsched.errors import RedisUnavailable

MAX_CONNECTIONS = 32  # beside one for each session, as all may ask for a slot at once
MIN_CONNECTIONS = 32  # with fewer, some of the service's background tasks would find none free
MARKER_TTL = timedelta(days=1)
PREFIX = "gcsched:sent"
MARKER_VALUE = b"1"

# One command for all markers, those to add before those to remove: SET for each would cost the
# event loop a packed command and a parsed reply per mail. The script returns nothing, which arrives
# as null.
WRITE_MARKERS = """
local added = tonumber(ARGV[2])
for number, key in ipairs(KEYS) do
  if number <= added then
    redis.call('SET', key, '1', 'EX', ARGV[1])
  else
    redis.call('UNLINK', key)
  end
end
"""


def open_pool(url: str, *, sessions: int = 0) -> ConnectionPool:
    """Open a pool for *url* (redis, rediss or unix); every wait in it has a time limit."""
    options = {"max_connections": MAX_CONNECTIONS + sessions, **pool_options(url)}
    if is_too_small(options["max_connections"]):
        options["max_connections"] = MIN_CONNECTIONS
    return ConnectionPool(**options)


def warn_of_too_few_connections(url: str) -> None:
    """Log a warning when max_connections of *url* is too small and a larger number is used."""
    given = pool_options(url).get("max_connections", 0)
    if is_too_small(given):
        structlog.get_logger().warning(
            "max_connections of GCSCHED_REDIS_URL is too small",
            given=given,
            used=MIN_CONNECTIONS,
            do="leave it out",
        )


def is_too_small(max_connections: int) -> bool:
    return 0 < max_connections < MIN_CONNECTIONS  # 0: without a limit


async def close(redis: Redis) -> None:
    """Close *redis* and its connections; ignore errors, as nothing more depends on them."""
    with suppress(Exception):
        await redis.aclose(close_connection_pool=True)


@contextmanager
def redis_errors(doing: str) -> Iterator[None]:
    """Turn every exception of an exchange with Redis into RedisUnavailable; wrap nothing else.

    Every exception, because the client's libraries raise any kind when a reply has an unexpected
    shape. The failure is shown to operators until the same action succeeds.
    """
    failures = FAILURES.get()
    try:
        yield
    except Exception as error:
        why, refuses = describe_redis_error(error), is_refusal(error)
        if failures is not None:
            failures.record_failure(doing, why)
        raise RedisUnavailable(doing, why, is_refusal=refuses) from error
    if failures is not None:
        failures.record_success(doing)


class Script:
    """A Lua script that is sent by its hash, or in full when Redis does not know the hash.

    redis-py's own class takes the hash from a reply, so one wrong reply breaks it permanently.
    """

    def __init__(self, redis: Redis, text: str) -> None:
        self._redis: Any = redis
        self._text = text
        self._hash = sha1(text.encode(), usedforsecurity=False).hexdigest()

    async def run(self, keys: Sequence[str], *args: str | float) -> object:
        """Run the script and return Redis's answer, unchecked."""
        try:
            return await self._redis.evalsha(self._hash, len(keys), *keys, *args)
        except NoScriptError:
            return await self._redis.eval(self._text, len(keys), *keys, *args)


@dataclass(kw_only=True, eq=False)
class RedisSentMarkerStore:
    """Keeps ``gcsched:sent:<job>:<claim>`` for each accepted mail until its outcome is stored."""

    redis: Redis
    _write_script: Script = field(init=False)

    def __post_init__(self) -> None:
        self._write_script = Script(self.redis, WRITE_MARKERS)

    async def write(
        self, *, added: Sequence[tuple[str, str]] = (), removed: Sequence[tuple[str, str]] = ()
    ) -> None:
        keys = [marker_key(marker) for marker in (*added, *removed)]
        with redis_errors("storing sent markers"):
            ttl_seconds = int(MARKER_TTL.total_seconds())
            expect_null(await self._write_script.run(keys, ttl_seconds, len(added)))

    async def find(self, markers: Sequence[tuple[str, str]]) -> Collection[tuple[str, str]]:
        """Return those of *markers* that exist. Raises RedisUnavailable for a doubtful answer.

        A marker is proof that a mail was sent. So the query includes one key that was never
        written: a Redis that returns a value for it returns values for anything.
        """
        keys = [*map(marker_key, markers), f"{PREFIX}:never:{secrets.token_hex(8)}"]
        with redis_errors("reading sent markers"):
            *values, never = expect_values(await self.redis.mget(keys), len(keys))
            for value in (*values, never):
                if value not in {None, MARKER_VALUE}:
                    raise InvalidReply(value, "null or 1")
            expect_null(never)
        return {
            marker for marker, value in zip(markers, values, strict=True) if value == MARKER_VALUE
        }


def marker_key(marker: tuple[str, str]) -> str:
    return f"{PREFIX}:{marker[0]}:{marker[1]}"
