"""The advice for stores that are away or refuse, from the errors of real servers."""

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
    with redis_errors("checking Redis"):
        await client.echo("gcsched")


async def find_redis_problem(url: str, use: Callable[[Redis], Awaitable[None]] = ping) -> str:
    client = Redis(connection_pool=open_pool(url))
    try:
        store_check = StoreCheck(name="redis", ping=lambda: use(client))
        await store_check.check()
    finally:
        await close(client)
    assert store_check.problem is not None
    return check_text(store_check.problem)


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


async def test_an_unreachable_redis_is_reported_with_its_setting(tmp_path: Path) -> None:
    port = free_port()

    refused = await find_redis_problem(f"redis://127.0.0.1:{port}")
    unknown = await find_redis_problem("redis://redis.invalid")
    no_socket = await find_redis_problem(f"unix://{tmp_path}/redis.sock")

    assert refused.startswith("away: Error 111 connecting to")
    assert refused.endswith("Check host and port in GCSCHED_REDIS_URL")
    assert unknown.endswith("check the host in GCSCHED_REDIS_URL, and DNS")
    assert no_socket.endswith("Check the path in GCSCHED_REDIS_URL")


async def test_a_redis_that_refuses_the_login_leads_to_the_setting(tmp_path: Path) -> None:
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


async def test_a_tls_problem_names_the_option_to_check(tmp_path: Path) -> None:
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

    assert redis_ca.endswith("name its certificate authority: ssl_ca_certs=… in GCSCHED_REDIS_URL")
    assert mongo_ca.endswith("name its certificate authority: tlsCAFile=… in GCSCHED_MONGO_URI")
    assert "TLS" in no_tls
    assert no_tls.endswith("GCSCHED_REDIS_URL")
    assert mongo_no_tls.endswith("GCSCHED_MONGO_URI")


async def test_an_unreachable_or_refusing_mongodb_names_the_setting(tmp_path: Path) -> None:
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


async def test_a_replica_set_of_another_name_is_reported(mongo_uri: str) -> None:
    place = mongo_uri.partition("?")[0]

    text = await find_mongodb_problem(f"{place}?replicaSet=another&{QUICK}")

    assert text.endswith("check hosts and replicaSet in GCSCHED_MONGO_URI")


SECRET_VALUE = "ada@example.org"
STATEMENT_ERRORS = {
    "E11000": BulkWriteError({"writeErrors": [{"code": 11000, "errmsg": SECRET_VALUE}]}),
    "majority": WriteConcernError(SECRET_VALUE, 64, {"codeName": "WriteConcernTimeout"}),
    "time": OperationFailure(SECRET_VALUE, 50, {"codeName": "MaxTimeMSExpired"}),
}


@pytest.mark.parametrize("error", STATEMENT_ERRORS.values(), ids=STATEMENT_ERRORS)
def test_an_error_of_a_statement_is_described_by_its_name_only(error: Exception) -> None:
    assert SECRET_VALUE not in describe_mongo_error(error)
    assert describe_mongo_error(error)


def test_other_errors_keep_their_name_and_stay_on_one_line() -> None:
    assert describe_redis_error(ValueError("a\nb\x1b[2J")) == "ValueError: a"
    assert describe_redis_error(TimeoutError()).startswith("TimeoutError: is it running")
    assert len(describe_redis_error(ValueError("x" * 10_000))) < 120


@pytest.mark.parametrize(
    "text",
    [f"invalid literal: '{SECRET_VALUE}'", f"{SECRET_VALUE} is none", f"{{1: {SECRET_VALUE}"],
)
def test_values_quoted_by_another_library_are_left_out(text: str) -> None:
    text = describe_redis_error(ValueError(text))

    assert text.startswith("ValueError: ")
    assert SECRET_VALUE not in text


async def test_a_redis_that_refuses_a_command_leads_to_the_remedy(tmp_path: Path) -> None:
    async with own_valkey(tmp_path) as server:
        full = await find_redis_problem(server.uri, exhaust_pool)
        unknown = await find_redis_problem(server.uri, command("EVALSHAX", "x"))
        aborted = await find_redis_problem(server.uri, break_transaction)
        async with Redis.from_url(server.uri) as operator:
            await operator.config_set("min-replicas-to-write", 1)
        alone = await find_redis_problem(server.uri, command("SET", "a", "b"))

    assert full.endswith("leave max_connections out of GCSCHED_REDIS_URL, or raise it")
    assert "too old, or that command was renamed" in unknown
    assert aborted.endswith("check its rights, memory and version")
    assert alone.endswith("start its replicas, or lower its min-replicas-to-write")


def command(*words: str) -> Callable[[Any], Awaitable[None]]:
    async def use(client: Any) -> None:
        with redis_errors("calling Redis"):
            await client.execute_command(*words)

    return use


async def exhaust_pool(client: Redis) -> None:
    with redis_errors("calling Redis"):
        client.connection_pool.max_connections = 1
        await client.connection_pool.get_connection()
        await client.ping()


async def break_transaction(client: Redis) -> None:
    with redis_errors("calling Redis"):
        one: Any
        async with client.client() as one:
            await one.execute_command("MULTI")
            with suppress(ResponseError):
                await one.execute_command("SET")
            await one.execute_command("EXEC")


def test_protected_mode_leads_to_the_password() -> None:
    # The reply of Redis 7 to a connection from another machine.
    denied = (
        "DENIED Redis is running in protected mode because protected mode is enabled and no"
        " password is set for the default user. In this mode connections are only accepted from"
        " the loopback interface."
    )

    text = describe_redis_error(ResponseError(denied))

    assert text.endswith("give it a password, and name that in GCSCHED_REDIS_URL")


async def test_other_configuration_errors_of_mongodb_keep_the_drivers_text() -> None:
    with pytest.raises(StoreRefused) as refused, store_errors("claiming"):
        raise ConfigurationError('The "kerberos" module must be installed to use GSSAPI')

    assert "kerberos" in refused.value.sentence


def test_the_log_text_of_an_error_contains_its_reason_once() -> None:
    error = RedisUnavailable("scheduling a wake-up", "why")

    assert error.for_log == "Redis is unavailable while scheduling a wake-up: why"
    assert StoreUnavailable("claiming", why="w").for_log.endswith("call again: w")
