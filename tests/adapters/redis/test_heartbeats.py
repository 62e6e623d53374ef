"""Beats in a real Valkey; oracle: what redis-py's own client finds there."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256
from urllib.parse import urlsplit

import pytest
import redis
from redis.asyncio import Redis

from gcsched.adapters.redis.connection import open_pool
from gcsched.adapters.redis.heartbeats import RedisBeats, place_of
from gcsched.errors import BellUnavailable

ONE, OTHER = "0123456789abcdef:1", "fedcba9876543210:99"


@asynccontextmanager
async def beats_at(url: str, place: str = "here") -> AsyncIterator[RedisBeats]:
    client = Redis(connection_pool=open_pool(url))
    try:
        yield RedisBeats(redis=client, place=place)
    finally:
        await client.aclose(close_connection_pool=True)


async def test_the_latest_beat_is_kept_for_a_minute(redis_url: str) -> None:
    async with beats_at(redis_url) as one, beats_at(redis_url) as other:
        assert await one.latest() is None

        await one.beat(ONE)
        await other.beat(OTHER)

        assert await one.latest() == OTHER
    with redis.Redis.from_url(redis_url) as raw:
        assert raw.mget(raw.scan_iter()) == [OTHER.encode()]
        assert 50 < raw.ttl("gcsched:reached:here") <= 60


async def test_those_of_another_mongodb_are_not_heard(redis_url: str) -> None:
    async with beats_at(redis_url, "here") as one, beats_at(redis_url, "there") as other:
        await other.beat(OTHER)

        assert await one.latest() is None


@pytest.mark.parametrize("text", ["", "1", f"{ONE}\n", ONE.upper(), "0" * 100_000])
async def test_what_is_no_beat_is_not_believed(redis_url: str, text: str) -> None:
    with redis.Redis.from_url(redis_url) as raw:
        raw.set("gcsched:reached:here", text)

    async with beats_at(redis_url) as beats:
        with pytest.raises(BellUnavailable):
            await beats.latest()


def test_a_place_is_hosts_and_database_whoever_asks_and_however() -> None:
    plain = place_of("mongodb://a:27017,b:27017/gcsched?replicaSet=rs0")

    assert place_of("mongodb://ada:secret@A:27017,b:27017/gcsched?w=majority") == plain
    assert "secret" not in plain
    assert place_of("mongodb://a:27017,b:27017/other?replicaSet=rs0") != plain
    assert place_of("mongodb://c:27017/gcsched?replicaSet=rs0") != plain


@pytest.mark.parametrize(
    "uri",
    [
        "mongodb://h",
        "mongodb://h/",
        "mongodb://h?w=1",
        "mongodb://Ada:p%2Fw@H:1,[::1]:2/Db?x=/@",
        "mongodb+srv://h.example.org/db",
    ],
)
def test_a_place_is_named_as_the_versions_before_name_it(uri: str) -> None:
    parts = urlsplit(uri)
    place = parts.netloc.rpartition("@")[2].lower() + parts.path

    assert place_of(uri) == sha256(place.encode()).hexdigest()[:16]


def test_a_password_with_likenesses_of_signs_raises_nothing() -> None:
    plain = place_of("mongodb://a/db")

    for sign in "\uff0f\uff1a\uff20\uff1f\u2100":
        assert place_of(f"mongodb://ada:secret{sign}@a/db") == plain
