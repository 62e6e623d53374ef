"""The latest beat of the processes that reach one MongoDB: ``gcsched:reached:<that MongoDB>``."""

import re
from dataclasses import dataclass, field
from hashlib import sha256

from redis.asyncio import Redis

from gcsched.adapters.redis.connection import bell_errors
from gcsched.adapters.redis.replies import Nonsense

PREFIX = "gcsched:reached"
LIFE_SECONDS = 60
BEAT = re.compile(rb"[0-9a-f]{16}:[0-9]{1,18}")


def place_of(uri: str) -> str:
    """Return a short name for the hosts and the database of *uri*, without its secrets.

    Two services on one Redis may have different databases: their beats say nothing of each other.
    """
    # Not `urlsplit`: of some characters in a password it raises, and its error repeats them.
    before = uri.partition("://")[2].partition("?")[0]
    authority, slash, path = before.partition("/")
    place = authority.rpartition("@")[2].lower() + slash + path
    return sha256(place.encode()).hexdigest()[:16]


@dataclass(kw_only=True, eq=False)
class RedisBeats:
    """Keep the latest beat of those that reach the MongoDB at *place*."""

    redis: Redis
    place: str
    _key: str = field(init=False)

    def __post_init__(self) -> None:
        self._key = f"{PREFIX}:{self.place}"

    async def beat(self, mark: str) -> None:
        with bell_errors("telling that MongoDB is reached"):
            answer = await self.redis.set(self._key, mark, ex=LIFE_SECONDS)
            if answer is not True:
                raise Nonsense(answer, "OK")

    async def latest(self) -> str | None:
        with bell_errors("looking who reaches MongoDB"):
            answer = await self.redis.get(self._key)
            if answer is None:
                return None
            if not isinstance(answer, bytes) or not BEAT.fullmatch(answer):
                raise Nonsense(answer, "a beat")
            return answer.decode()
