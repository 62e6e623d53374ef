"""Real servers for the tests: the session's own, and others that a test may kill or freeze."""

import asyncio
import os
import re
import secrets
import signal
import tempfile
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit

from pymongo import MongoClient
from redis import Redis
from redis.exceptions import ResponseError

from gcsched.dev.stores.children import is_listening
from gcsched.dev.stores.mongod import Mongod, MongodOptions
from gcsched.dev.stores.valkey import Valkey, ValkeyOptions
from tests.support.freeze import freeze
from tests.support.ports import free_port

DATABASES = 256
MIN_IDLE = 8  # a database is reused only after this many others
SYSTEM_COLLECTION = re.compile("^system[.]")

S = TypeVar("S", Mongod, Valkey)


class OwnServer:
    """A server of one test, which can be killed, frozen and started again on its port."""

    def __init__(self, server: Mongod | Valkey) -> None:
        self._server = server

    @property
    def uri(self) -> str:
        return self._server.uri if isinstance(self._server, Mongod) else self._server.url

    @property
    def port(self) -> int:
        assert self._server.port is not None
        return self._server.port

    @property
    def pid(self) -> int:
        return self._server.pid

    def kill(self) -> None:
        """Send SIGKILL and wait until the process has ended."""
        self._server.child.kill()

    def freeze(self) -> None:
        """Send SIGSTOP: the server is silent, but its connections stay open."""
        freeze(self._server.child.pid)

    def resume(self) -> None:
        self._server.child.send_signal(signal.SIGCONT)

    async def stop(self) -> None:
        """Stop the server cleanly."""
        await asyncio.to_thread(self._server.close)

    def launch(self) -> None:
        """Start again on the same port and folder, without waiting."""
        self._server.launch()

    async def start(self) -> None:
        """Start again on the same port and folder, and wait until it serves."""
        self.launch()
        await asyncio.to_thread(self._server.wait_ready)


class BareMongod(Mongod):
    """A mongod without an initiated replica set: *standalone*, or waiting for rs.initiate()."""

    def __init__(self, folder: Path, *, standalone: bool) -> None:
        self._is_standalone = standalone
        super().__init__(folder, MongodOptions(port=free_port()))

    def _flags(self) -> list[str]:
        flags = super()._flags()
        at = flags.index("--replSet")
        return [*flags[:at], *flags[at + 2 :]] if self._is_standalone else flags

    def wait_ready(self) -> None:
        self.child.wait_for(lambda: is_listening(self.port))


@asynccontextmanager
async def own_mongod(
    folder: Path, options: MongodOptions | None = None
) -> AsyncIterator[OwnServer]:
    chosen = replace(options or MongodOptions(), port=free_port())
    async with run_own(Mongod(folder / "own_mongod", chosen)) as server:
        yield server


@asynccontextmanager
async def own_valkey(
    folder: Path, options: ValkeyOptions | None = None
) -> AsyncIterator[OwnServer]:
    chosen = replace(options or ValkeyOptions(), port=free_port())
    async with run_own(Valkey(folder / "own_valkey", chosen)) as server:
        yield server


@asynccontextmanager
async def run_own(server: Mongod | Valkey) -> AsyncIterator[OwnServer]:
    own = OwnServer(server)
    try:
        await own.start()
        yield own
    finally:
        own.kill()


@contextmanager
def run_disposable(server: S) -> Iterator[S]:
    """Run *server* for a block, then kill it: its data is not needed any more."""
    try:
        server.launch()
        server.wait_ready()
        yield server
    finally:
        server.child.kill()


def is_own_mongod() -> bool:
    """Return whether the session's MongoDB ends, with its databases, when the session does."""
    return not os.environ.get("GCSCHED_TEST_MONGO_URI")


@contextmanager
def session_mongod() -> Iterator[str]:
    """Yield the URI of the session's MongoDB: our own, unless the environment names another."""
    if not is_own_mongod():
        yield os.environ["GCSCHED_TEST_MONGO_URI"]
        return
    options = MongodOptions(port=free_port(), parameters={"ttlMonitorSleepSecs": "1"})
    with temporary_folder() as folder, run_disposable(Mongod(folder, options)) as server:
        yield server.uri


@contextmanager
def session_valkey() -> Iterator[str]:
    """Yield the URL of the session's Redis: our own, unless the environment names another."""
    if url := os.environ.get("GCSCHED_TEST_REDIS_URL"):
        yield url
        return
    options = ValkeyOptions(port=free_port(), databases=DATABASES)
    with temporary_folder() as folder, run_disposable(Valkey(folder, options)) as server:
        yield server.url


@contextmanager
def temporary_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="gcsched-test-") as folder:
        yield Path(folder)


class Databases:
    """The databases of one server, which are reused: creating one costs ten times as much."""

    def __init__(self, server: str) -> None:
        self._server = server
        self._client = MongoClient[dict[str, Any]](server)
        self._idle: deque[str] = deque()

    def close(self) -> None:
        if not is_own_mongod():
            for name in self._idle:
                self._client.drop_database(name)
        self._client.close()

    @contextmanager
    def lend(self) -> Iterator[str]:
        """Yield the URI of an empty database, which is new or was not in use for a while."""
        # A process that used it before may have been killed: its last statements must have ended.
        name = self._idle.popleft() if len(self._idle) >= MIN_IDLE else make_name()
        database = self._client[name]
        for collection in database.list_collection_names(
            filter={"name": {"$not": SYSTEM_COLLECTION}}
        ):
            database[collection].delete_many({})
        yield with_database(self._server, name)
        self._idle.append(name)

    @contextmanager
    def create(self) -> Iterator[str]:
        """Yield the URI of a new database, and drop it afterwards."""
        name = make_name()
        yield with_database(self._server, name)
        self._client.drop_database(name)


def make_name() -> str:
    return f"gcsched_test_{secrets.token_hex(4)}"


def with_database(uri: str, name: str) -> str:
    """Return *uri* with database *name*; its user is still authenticated in the original one."""
    parts = urlsplit(uri)
    query = dict(parse_qsl(parts.query))
    if parts.username:
        query.setdefault("authSource", parts.path.lstrip("/") or "admin")
    return parts._replace(path=f"/{name}", query=urlencode(query)).geturl()


def with_number(url: str, number: int) -> str:
    """Return the Redis *url* with database *number*."""
    return urlsplit(url)._replace(path=f"/{number}").geturl()


def count_databases(url: str) -> int:
    """Return how many databases a Redis has: its default of 16 if CONFIG is not allowed."""
    with Redis.from_url(url) as client:
        try:
            return int(client.config_get("databases")["databases"])
        except ResponseError:
            return 16


def flush(url: str) -> None:
    with Redis.from_url(url) as client:
        client.flushdb()


@contextmanager
def lend_stores(
    databases: Databases, redis: str, numbers: Iterator[int]
) -> Iterator[dict[str, str]]:
    """Yield the addresses of an empty database of each store, for several tests."""
    url = with_number(redis, next(numbers))
    flush(url)
    with databases.lend() as mongo:
        yield {"mongo": mongo, "redis": url}
