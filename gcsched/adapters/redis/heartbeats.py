"""The latest heartbeat of the processes that reach one MongoDB: ``gcsched:reached:<location>``."""

import re
from dataclasses import dataclass, field
from hashlib import sha256

from redis.asyncio import Redis

from gcsched.adapters.redis.connection import redis_errors
from gcsched.adapters.redis.replies import InvalidReply

PREFIX = "gcsched:reached"
TTL_SECONDS = 60
HEARTBEAT = re.compile(rb"[0-9a-f]{16}:[0-9]{1,18}")


def hash_mongo_location(uri: str) -> str:
    """Return a short name for the hosts and the database of *uri*, without its secrets.

    Two services on one Redis may have different databases, so their heartbeats are kept apart.
    """
    # Not `urlsplit`: it raises for some characters in a password, and its error repeats them.
    before = uri.partition("://")[2].partition("?")[0]
    authority, slash, path = before.partition("/")
    location = authority.rpartition("@")[2].lower() + slash + path
    return sha256(location.encode()).hexdigest()[:16]


@dataclass(kw_only=True, eq=False)
class RedisHeartbeatStore:
    """Keeps the latest heartbeat of the processes that reach the MongoDB at *mongo_location*."""

    redis: Redis
    mongo_location: str
    _key: str = field(init=False)

    def __post_init__(self) -> None:
        self._key = f"{PREFIX}:{self.mongo_location}"

    async def write(self, heartbeat: str) -> None:
        with redis_errors("writing a heartbeat"):
            answer = await self.redis.set(self._key, heartbeat, ex=TTL_SECONDS)
            if answer is not True:
                raise InvalidReply(answer, "OK")

    async def read_latest(self) -> str | None:
        with redis_errors("reading a heartbeat"):
            answer = await self.redis.get(self._key)
            if answer is None:
                return None
            if not isinstance(answer, bytes) or not HEARTBEAT.fullmatch(answer):
                raise InvalidReply(answer, "a heartbeat")
            return answer.decode()
