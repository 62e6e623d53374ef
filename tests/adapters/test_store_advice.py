"""Why a store is away or refuses, as real ones make their drivers say it."""

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import trustme
from pymongo.errors import (
    BulkWriteError,
    ConfigurationError,
    OperationFailure,
    WriteConcernError,
)
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from gcsched.adapters.mongo.advice import describe_mongo_error
from gcsched.adapters.mongo.connection import open_mongo, store_errors
from gcsched.adapters.redis.advice import describe_redis_error
from gcsched.adapters.redis.connection import close, open_pool, redis_errors
from gcsched.dev.stores.mongod import MongodOptions
from gcsched.dev.stores.replica_set import Login
from gcsched.dev.stores.valkey import ValkeyOptions
from gcsched.errors import RedisUnavailable, StoreRefused, StoreUnavailable
from gcsched.usecases.monitoring.store_check import StoreCheck
from tests.support.ports import free_port
from tests.support.proxy import a_proxy
from tests.support.stores import own_mongod, own_valkey

PASSWORD = "S3cr3tPW"
QUICK = "serverSelectionTimeoutMS=300"


async def ping(client: Redis) -> None:
    with redis_errors("looking for Redis"):
        await client.echo("gcsched")


async def find_redis_problem(url: str, ask: Callable[[Redis], Awaitable[None]] = ping) -> str:
    client = Redis(connection_pool=open_pool(url))
    try:
        watch = StoreCheck(name="redis", ping=lambda: ask(client))
        await watch.check()
    finally:
        await close(client)
    assert watch.problem is not None
    return check_text(watch.problem)


async def find_mongodb_problem(uri: str) -> str:
    async with open_mongo(uri) as mongo:
        try:
            await mongo.check_deployment()
            await mongo.prepare()
        except StoreRefused as error:
            return check_text(f"refuses: {error.sentence}")
        except StoreUnavailable as error:
            return check_text(f"away: {error.why}")
    raise AssertionError("it works")


def check_text(text: str) -> str:
    assert text.isprintable()
    assert PASSWORD not in text
    for noise in ("TopologyDescription", "full error", "configured timeouts", "_ssl.c"):
        assert noise not in text
    return text


async def test_a_redis_that_is_not_there_is_told_with_its_setting(tmp_path: Path) -> None:
    port = free_port()

    refused = await find_redis_problem(f"redis://127.0.0.1:{port}")
    unknown = await find_redis_problem("redis://redis.invalid")
    no_socket = await find_redis_problem(f"unix://{tmp_path}/redis.sock")

    assert refused.startswith("away: Error 111 connecting to")
    assert refused.endswith("Check host and port in GCSCHED_REDIS_URL")
    assert unknown.endswith("check the host in GCSCHED_REDIS_URL, and DNS")
    assert no_socket.endswith("Check the path in GCSCHED_REDIS_URL")


async def test_a_redis_that_refuses_says_what_to_change(tmp_path: Path) -> None:
    async with own_valkey(tmp_path, ValkeyOptions(password=PASSWORD)) as server:
        at = f"127.0.0.1:{server.port}"
        missing = await find_redis_problem(f"redis://{at}")
        wrong = await find_redis_problem(f"redis://:guess@{at}")
        no_number = await find_redis_problem(f"redis://:{PASSWORD}@{at}/99")
        async with Redis.from_url(server.uri) as operator:
            await operator.execute_command("ACL", "SETUSER", "ada", "on", ">pw", "+ping")
        may_not = await find_redis_problem(f"redis://ada:pw@{at}")

    assert missing.startswith("refuses: ")
    assert missing.endswith("give its password in GCSCHED_REDIS_URL")
    assert wrong.startswith("refuses: ")
    assert wrong.endswith("check user and password in GCSCHED_REDIS_URL")
    assert no_number.startswith("refuses: DB index is out of range: ")
    assert no_number.endswith("the number of a database that it has in GCSCHED_REDIS_URL, e.g. /0")
    assert may_not.startswith("refuses: ")
    assert "give its user the keys and commands" in may_not


@asynccontextmanager
async def behind_tls(port: int, authority: trustme.CA) -> AsyncIterator[int]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    async with a_proxy(port, tls=context) as proxy:
        yield proxy.port


async def test_trouble_with_tls_names_the_option_to_look_at(tmp_path: Path) -> None:
    authority = trustme.CA()
    async with own_valkey(tmp_path) as server, own_mongod(tmp_path) as mongod:
        async with (
            behind_tls(server.port, authority) as redis_tls,
            behind_tls(mongod.port, authority) as mongo_tls,
        ):
            redis_ca = await find_redis_problem(f"rediss://localhost:{redis_tls}")
            mongo_ca = await find_mongodb_problem(
                f"mongodb://localhost:{mongo_tls}/?tls=true&directConnection=true&{QUICK}"
            )
        no_tls = await find_redis_problem(f"rediss://127.0.0.1:{server.port}")
        mongo_no_tls = await find_mongodb_problem(
            f"mongodb://127.0.0.1:{mongod.port}/?tls=true&directConnection=true&{QUICK}"
        )

    assert redis_ca.endswith("name its authority: ssl_ca_certs=… in GCSCHED_REDIS_URL")
    assert mongo_ca.endswith("name its authority: tlsCAFile=… in GCSCHED_MONGO_URI")
    assert "TLS" in no_tls
    assert no_tls.endswith("GCSCHED_REDIS_URL")
    assert mongo_no_tls.endswith("GCSCHED_MONGO_URI")


async def test_a_mongodb_that_is_away_or_refuses_names_what_to_look_at(tmp_path: Path) -> None:
    login = Login(username="ada", password=PASSWORD)
    async with own_mongod(tmp_path, MongodOptions(login=login)) as server:
        wrong = await find_mongodb_problem(server.uri.replace(PASSWORD, "guess"))
    refused = await find_mongodb_problem(f"mongodb://127.0.0.1:{free_port()}/?{QUICK}")
    unknown = await find_mongodb_problem(f"mongodb://mongodb.invalid/?{QUICK}")

    assert wrong == (
        "refuses: it does not accept the login: check user, password and authSource in"
        " GCSCHED_MONGO_URI"
    )
    assert refused.startswith("away: 127.0.0.1:")
    assert refused.endswith("Connection refused: is it running? Check host and port in"
                            " GCSCHED_MONGO_URI")  # fmt: skip
    assert unknown.endswith("check the host in GCSCHED_MONGO_URI, and DNS")


async def test_a_set_of_another_name_is_told(mongo_uri: str) -> None:
    place = mongo_uri.partition("?")[0]

    told = await find_mongodb_problem(f"{place}?replicaSet=another&{QUICK}")

    assert told.endswith("check hosts and replicaSet in GCSCHED_MONGO_URI")


SECRET_VALUE = "ada@example.org"
OF_STATEMENTS = {
    "E11000": BulkWriteError({"writeErrors": [{"code": 11000, "errmsg": SECRET_VALUE}]}),
    "majority": WriteConcernError(SECRET_VALUE, 64, {"codeName": "WriteConcernTimeout"}),
    "time": OperationFailure(SECRET_VALUE, 50, {"codeName": "MaxTimeMSExpired"}),
}


@pytest.mark.parametrize("error", OF_STATEMENTS.values(), ids=OF_STATEMENTS)
def test_of_a_statement_only_the_name_of_its_error_is_told(error: Exception) -> None:
    assert SECRET_VALUE not in describe_mongo_error(error)
    assert describe_mongo_error(error)


def test_what_is_no_error_of_redis_keeps_its_name_and_stays_on_one_line() -> None:
    assert describe_redis_error(ValueError("a\nb\x1b[2J")) == "ValueError: a"
    assert describe_redis_error(TimeoutError()).startswith("TimeoutError: is it running")
    assert len(describe_redis_error(ValueError("x" * 10_000))) < 120


@pytest.mark.parametrize(
    "text",
    [f"invalid literal: '{SECRET_VALUE}'", f"{SECRET_VALUE} is none", f"{{1: {SECRET_VALUE}"],
)
def test_what_another_library_quotes_is_not_told(text: str) -> None:
    told = describe_redis_error(ValueError(text))

    assert told.startswith("ValueError: ")
    assert SECRET_VALUE not in told


async def test_a_redis_that_refuses_a_command_says_what_to_change(tmp_path: Path) -> None:
    async with own_valkey(tmp_path) as server:
        full = await find_redis_problem(server.uri, exhaust_pool)
        unknown = await find_redis_problem(server.uri, command("EVALSHAX", "x"))
        aborted = await find_redis_problem(server.uri, break_transaction)
        async with Redis.from_url(server.uri) as operator:
            await operator.config_set("min-replicas-to-write", 1)
        alone = await find_redis_problem(server.uri, command("SET", "a", "b"))

    assert full.endswith("leave max_connections out of GCSCHED_REDIS_URL, or raise it")
    assert "too old, or that command was renamed" in unknown
    assert aborted.endswith("look at its rights, memory and version")
    assert alone.endswith("start its replicas, or lower its min-replicas-to-write")


def command(*words: str) -> Callable[[Any], Awaitable[None]]:
    async def ask(client: Any) -> None:
        with redis_errors("asking Redis"):
            await client.execute_command(*words)

    return ask


async def exhaust_pool(client: Redis) -> None:
    with redis_errors("asking Redis"):
        client.connection_pool.max_connections = 1
        await client.connection_pool.get_connection()
        await client.ping()


async def break_transaction(client: Redis) -> None:
    with redis_errors("asking Redis"):
        one: Any
        async with client.client() as one:
            await one.execute_command("MULTI")
            with suppress(ResponseError):
                await one.execute_command("SET")
            await one.execute_command("EXEC")


def test_protected_mode_asks_for_a_password() -> None:
    # As Redis 7 says it to whoever comes from another machine.
    denied = (
        "DENIED Redis is running in protected mode because protected mode is enabled and no"
        " password is set for the default user. In this mode connections are only accepted from"
        " the loopback interface."
    )

    told = describe_redis_error(ResponseError(denied))

    assert told.endswith("give it a password, and name that in GCSCHED_REDIS_URL")


async def test_what_else_the_driver_of_mongodb_cannot_do_is_told_in_its_words() -> None:
    with pytest.raises(StoreRefused) as refused, store_errors("claiming"):
        raise ConfigurationError('The "kerberos" module must be installed to use GSSAPI')

    assert "kerberos" in refused.value.sentence


def test_an_error_of_redis_says_it_all_in_the_log() -> None:
    error = RedisUnavailable("ringing the bell", "why")

    assert error.for_log == "Redis is unavailable while ringing the bell: why"
    assert StoreUnavailable("claiming", why="w").for_log.endswith("call again: w")
