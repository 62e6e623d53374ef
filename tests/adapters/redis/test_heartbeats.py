"""Heartbeats in a real Valkey; oracle: the keys that redis-py's own client finds."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256
from urllib.parse import urlsplit

import pytest
import redis
from redis.asyncio import Redis

from gcsched.adapters.redis.connection import open_pool
from gcsched.adapters.redis.heartbeats import RedisHeartbeatStore, hash_mongo_location
from gcsched.errors import RedisUnavailable

ONE, OTHER = "0123456789abcdef:1", "fedcba9876543210:99"


@asynccontextmanager
async def heartbeats_at(
    url: str, mongo_location: str = "here"
) -> AsyncIterator[RedisHeartbeatStore]:
    client = Redis(connection_pool=open_pool(url))
    try:
        yield RedisHeartbeatStore(redis=client, mongo_location=mongo_location)
    finally:
        await client.aclose(close_connection_pool=True)


async def test_the_latest_beat_is_kept_for_a_minute(redis_url: str) -> None:
    async with heartbeats_at(redis_url) as one, heartbeats_at(redis_url) as other:
        assert await one.read_latest() is None

        await one.write(ONE)
        await other.write(OTHER)

        assert await one.read_latest() == OTHER
    with redis.Redis.from_url(redis_url) as raw:
        assert raw.mget(raw.scan_iter()) == [OTHER.encode()]
        assert 50 < raw.ttl("gcsched:reached:here") <= 60


async def test_heartbeats_of_another_mongodb_are_not_read(redis_url: str) -> None:
    async with heartbeats_at(redis_url, "here") as one, heartbeats_at(redis_url, "there") as other:
        await other.write(OTHER)

        assert await one.read_latest() is None


@pytest.mark.parametrize("text", ["", "1", f"{ONE}\n", ONE.upper(), "0" * 100_000])
async def test_an_invalid_heartbeat_is_an_error(redis_url: str, text: str) -> None:
    with redis.Redis.from_url(redis_url) as raw:
        raw.set("gcsched:reached:here", text)

    async with heartbeats_at(redis_url) as heartbeats:
        with pytest.raises(RedisUnavailable):
            await heartbeats.read_latest()


def test_a_location_is_hosts_and_database_without_login_and_options() -> None:
    plain = hash_mongo_location("mongodb://a:27017,b:27017/gcsched?replicaSet=rs0")

    assert hash_mongo_location("mongodb://ada:secret@A:27017,b:27017/gcsched?w=majority") == plain
    assert "secret" not in plain
    assert hash_mongo_location("mongodb://a:27017,b:27017/other?replicaSet=rs0") != plain
    assert hash_mongo_location("mongodb://c:27017/gcsched?replicaSet=rs0") != plain


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
def test_a_location_has_the_same_name_as_in_earlier_versions(uri: str) -> None:
    parts = urlsplit(uri)
    location = parts.netloc.rpartition("@")[2].lower() + parts.path

    assert hash_mongo_location(uri) == sha256(location.encode()).hexdigest()[:16]


def test_a_password_with_lookalikes_of_signs_raises_nothing() -> None:
    plain = hash_mongo_location("mongodb://a/db")

    for sign in "\uff0f\uff1a\uff20\uff1f\u2100":
        assert hash_mongo_location(f"mongodb://ada:secret{sign}@a/db") == plain
