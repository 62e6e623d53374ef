"""The connection to MongoDB: every wait is limited, and every failure is a GcschedError."""

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import trustme
from pymongo import MongoClient, ReadPreference

from gcsched.adapters.mongo.admissions import MongoAdmissions
from gcsched.adapters.mongo.claims import MongoClaims
from gcsched.adapters.mongo.connection import Mongo, open_mongo
from gcsched.adapters.mongo.outcomes import MongoOutcomes
from gcsched.adapters.mongo.recipient_writer import MongoRecipients
from gcsched.adapters.mongo.recovery import MongoRecovery
from gcsched.adapters.mongo.runs import MongoRuns
from gcsched.adapters.mongo.suppressions import MongoSuppressions
from gcsched.dev.stores.mongod import MongodOptions, Tls
from gcsched.dev.stores.replica_set import Login
from gcsched.errors import GcschedError, StoreUnavailable
from gcsched.usecases.ports import Orphan
from tests.support.builders import (
    NOW,
    FixedClock,
    a_claimed_job,
    a_conclusion,
    a_job,
    a_suppression,
    is_new,
)
from tests.support.clocks import SECOND
from tests.support.stores import own_mongod
from tests.support.wait import until

Use = Callable[[Mongo], Awaitable[object]]
TODAY = date(2026, 7, 1)
ORPHAN = Orphan(job=a_claimed_job(), claim="claim-1", begun=None)


def recovery(mongo: Mongo) -> MongoRecovery:
    return MongoRecovery(mongo=mongo, retention=SECOND, now=FixedClock())


def outcomes(mongo: Mongo) -> MongoOutcomes:
    return MongoOutcomes(mongo=mongo, retention=SECOND)


USES: dict[str, Use] = {
    "prepare": Mongo.prepare,
    "ping": Mongo.ping,
    "admit": lambda mongo: MongoAdmissions(mongo=mongo).admit([a_job()], within=SECOND),
    "claim": lambda mongo: MongoClaims(mongo=mongo).claim("token", 1, now=NOW),
    "begin": lambda mongo: MongoClaims(mongo=mongo).begin("token", ["job-1"], date=NOW),
    "renew": lambda mongo: MongoClaims(mongo=mongo).renew(["token"]),
    "has_due_jobs": lambda mongo: MongoClaims(mongo=mongo).has_due_jobs(now=NOW),
    "conclude": lambda mongo: outcomes(mongo).conclude([a_conclusion()]),
    "find_due_seconds": lambda mongo: recovery(mongo).find_due_seconds(NOW, NOW + SECOND),
    "find_orphans": lambda mongo: recovery(mongo).find_orphans(1),
    "conclude_orphans": lambda mongo: recovery(mongo).conclude_orphans([(ORPHAN, a_conclusion())]),
    "begin_sweep": lambda mongo: MongoRuns(mongo=mongo).begin_sweep(within=SECOND, now=NOW),
    "begin_daily": lambda mongo: MongoRuns(mongo=mongo).begin_daily(TODAY, now=NOW),
    "move_queued": lambda mongo: MongoRuns(mongo=mongo).move_queued(
        until=NOW, now=NOW, not_after=NOW, most=1
    ),
    "finish_daily": lambda mongo: MongoRuns(mongo=mongo).finish_daily(TODAY, 1, now=NOW),
    "has_queued": lambda mongo: MongoRuns(mongo=mongo).has_queued(until=NOW),
    "add": lambda mongo: MongoSuppressions(mongo=mongo).add([a_suppression()]),
    "find_active": lambda mongo: MongoSuppressions(mongo=mongo).find_active(
        ["ada@example.org"], now=NOW
    ),
    "save": lambda mongo: MongoRecipients(mongo=mongo).save([a_job()]),
}


async def test_a_store_that_does_not_reply_is_unavailable(unused_tcp_port: int) -> None:
    uri = f"mongodb://127.0.0.1:{unused_tcp_port}/?serverSelectionTimeoutMS=50"

    async with open_mongo(uri) as mongo:
        tries = [use(mongo) for use in USES.values()]
        errors = await asyncio.gather(*tries, return_exceptions=True)

    types = [type(error) for error in errors]
    assert dict(zip(USES, types, strict=True)) == dict.fromkeys(USES, StoreUnavailable)


async def test_default_time_limits_apply() -> None:
    async with open_mongo("mongodb://127.0.0.1:1/") as mongo:
        options: Any = mongo.database.client.options

    assert options.server_selection_timeout == 3
    assert options.pool_options.connect_timeout == 2
    assert options.pool_options.socket_timeout == 10
    assert options.pool_options.wait_queue_timeout == 5


async def test_time_limits_in_the_uri_take_precedence(unused_tcp_port: int) -> None:
    limits = {"serverSelectionTimeoutMS": 70, "connectTimeoutMS": 80, "SOCKETTIMEOUTMS": 90}
    uri = f"mongodb://127.0.0.1:{unused_tcp_port}/?{urlencode(limits)}&waitqueuetimeoutms=60"

    async with open_mongo(uri) as mongo:
        options: Any = mongo.database.client.options
        start = time.monotonic()
        with pytest.raises(StoreUnavailable):
            await mongo.ping()

    assert time.monotonic() - start < 1
    assert options.server_selection_timeout == 0.07
    assert options.pool_options.connect_timeout == 0.08
    assert options.pool_options.socket_timeout == 0.09
    assert options.pool_options.wait_queue_timeout == 0.06


@pytest.mark.parametrize(("query", "name"), [("", "gcsched"), ("?appName=mailer-2", "mailer-2")])
async def test_the_app_name_is_gcsched_unless_the_uri_sets_it(query: str, name: str) -> None:
    async with open_mongo(f"mongodb://127.0.0.1:1/{query}") as mongo:
        options: Any = mongo.database.client.options

    assert options.pool_options.appname == name


@pytest.mark.parametrize(
    ("path", "name"), [("", "gcsched"), ("/", "gcsched"), ("/meetings", "meetings")]
)
async def test_the_uri_names_the_database(path: str, name: str) -> None:
    async with open_mongo(f"mongodb://127.0.0.1:1{path}") as mongo:
        assert mongo.database.name == name


async def test_writes_wait_for_a_majority_and_its_journals_whatever_the_uri_sets() -> None:
    async with open_mongo("mongodb://127.0.0.1:1/?w=1&journal=false") as mongo:
        for collection in (mongo.jobs, mongo.recipients, mongo.runs):
            concern = collection.write_concern.document
            assert concern == {"w": "majority", "j": True, "wtimeout": 5000}


async def test_reads_go_to_the_primary_whatever_the_uri_sets() -> None:
    """A secondary may not know a claim yet: its jobs would wait until the lease expires."""
    async with open_mongo("mongodb://127.0.0.1:1/?readPreference=secondaryPreferred") as mongo:
        for collection in (mongo.jobs, mongo.recipients, mongo.runs):
            assert collection.read_preference == ReadPreference.PRIMARY


MALFORMED = {
    "a password with an @": "mongodb://ada:p@ss@db.example.org/gcsched",
    "an invalid port": "mongodb://db.example.org:abc/gcsched",
    "no host": "mongodb:///gcsched",
    "another scheme": "postgres://db.example.org/gcsched",
    "options that contradict": "mongodb://a,b/gcsched?directConnection=true",
    "a missing file": "mongodb://a/gcsched?tls=true&tlsCAFile=/not/there.pem",
    "srv with a port": "mongodb+srv://db.example.org:27017/gcsched",
}


@pytest.mark.parametrize("uri", MALFORMED.values(), ids=MALFORMED)
async def test_a_malformed_uri_is_reported_without_its_password(
    uri: str,
) -> None:
    with pytest.raises(GcschedError) as raised:
        async with open_mongo(uri):
            pass

    assert "GCSCHED_MONGO_URI" in str(raised.value)
    assert "p@ss" not in str(raised.value)


async def can_read_and_write(uri: str) -> bool:
    async with open_mongo(uri) as mongo:
        await mongo.prepare()
        [answer] = await MongoAdmissions(mongo=mongo).admit([a_job()], within=5 * SECOND)
        return is_new(answer)


async def test_only_a_user_with_the_password_can_connect(tmp_path: Path) -> None:
    login = Login(username="ada", password="p@ss/w:rd%")

    async with own_mongod(tmp_path, MongodOptions(login=login)) as server:
        assert "p%40ss%2Fw%3Ard%25" in server.uri
        assert await can_read_and_write(server.uri)
        for stranger in (server.uri.replace("p%40ss", "guess"), without_login(server.uri)):
            with pytest.raises(StoreUnavailable):
                await can_read_and_write(stranger)


def without_login(uri: str) -> str:
    return f"mongodb://{uri.partition('@')[2].replace('authSource=admin', 'appName=stranger')}"


async def test_tls_is_used_and_the_certificate_is_checked(tmp_path: Path) -> None:
    authority, stranger = trustme.CA(), trustme.CA()
    tls = Tls(certificate=tmp_path / "server.pem", authority=tmp_path / "ca.pem")
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(tls.certificate)
    authority.cert_pem.write_to_path(tls.authority)
    other = tmp_path / "other.pem"
    stranger.cert_pem.write_to_path(other)

    async with own_mongod(tmp_path, MongodOptions(tls=tls)) as server:
        assert await can_read_and_write(server.uri)
        assert speaks_tls(server.port, tls.authority)
        in_a_hurry = f"{server.uri}&serverSelectionTimeoutMS=300"
        for wrong in (in_a_hurry.replace("ca.pem", "other.pem"), without_tls(in_a_hurry)):
            with pytest.raises(StoreUnavailable):
                await can_read_and_write(wrong)


def without_tls(uri: str) -> str:
    place, _, options = uri.partition("?")
    kept = [option for option in options.split("&") if not option.startswith("tls")]
    return f"{place}?{'&'.join(kept)}"


def speaks_tls(port: int, authority: Path) -> bool:
    try:
        ssl.get_server_certificate(("127.0.0.1", port), ca_certs=str(authority), timeout=2)
    except ssl.SSLError:
        return False
    return True


async def test_closing_ends_every_connection(mongo_uri: str, mongo_server: str) -> None:
    with MongoClient[dict[str, Any]](mongo_server) as driver:

        def count_connections() -> int:
            connections = {"$currentOp": {"idleConnections": True}}
            found = driver.admin.aggregate([connections, {"$match": {"appName": "gcsched"}}])
            return len(list(found))

        async with open_mongo(mongo_uri) as mongo:
            await mongo.ping()
            assert count_connections() > 0

        await until(lambda: count_connections() == 0)
