"""The first line of a service's log, for an operator who asks what it was started with."""

import pytest
import tzdata

from gcsched import app
from gcsched.adapters.mongo.uri import format_mongo_location
from gcsched.adapters.redis.url import format_redis_location
from gcsched.wiring.start_line import start_facts
from tests.support.in_process_app import make_settings
from tests.support.template_folders import BUILT_IN


@pytest.mark.parametrize(
    ("uri", "location"),
    [
        ("mongodb://ada:s3cret@h1:27017,h2/jobs?replicaSet=r", "h1:27017,h2/jobs"),
        ("mongodb://h", "h/gcsched"),
        ("mongodb://ada:p%40ss%3A@[::1]:1/?authSource=admin", "[::1]:1/gcsched"),
        ("mongodb+srv://ada:s3cret@cluster.example.org/a", "cluster.example.org/a"),
    ],
)
def test_the_location_of_mongodb_holds_no_login_and_no_option(uri: str, location: str) -> None:
    assert format_mongo_location(uri) == location


@pytest.mark.parametrize(
    ("url", "location"),
    [
        ("redis://ada:s3cret@h:6380/7", "h:6380/7"),
        ("redis://h?password=s3cret", "h:6379/0"),
        ("rediss://:s3cret@h/2", "h:6379/2"),
        ("unix://:s3cret@/run/valkey.sock?db=3", "unix:/run/valkey.sock?db=3"),
    ],
)
def test_the_location_of_redis_holds_no_login_and_no_option(url: str, location: str) -> None:
    assert format_redis_location(url) == location


async def test_the_first_line_names_addresses_stores_and_relays(
    mongo_uri: str, redis_url: str
) -> None:
    more = {
        "fallback_smtp_host": "second.example.org",
        "fallback_smtp_username": "ada",
        "fallback_smtp_password": "s3cret",
        "daily_at": "09:30",
        "timezone": "Europe/Berlin",
    }
    settings = make_settings(mongo=mongo_uri, redis=redis_url, relay_port=2525, **more)
    async with app.open_resources(settings) as resources:
        facts = start_facts(settings, resources, grpc_port=50051)

    assert facts["grpc"] == "127.0.0.1:50051"
    assert facts["http"] == f"127.0.0.1:{resources.http_port}"
    assert facts["relays"] == ["127.0.0.1:2525 (none)", "second.example.org:587 (starttls)"]
    assert (facts["daily_at"], facts["timezone"]) == ("09:30", "Europe/Berlin")
    assert facts["zone_version"] == tzdata.IANA_VERSION
    assert facts["templates"] == sorted(["doc", *BUILT_IN])
    assert "s3cret" not in str(facts)
