"""Real servers for the tests: the session's own, and others that a test may kill or freeze."""

import asyncio
import os
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit

from redis import Redis
from redis.exceptions import ResponseError

from gcsched.adapters.embedded.mongod import Mongod, MongodOptions
from gcsched.adapters.embedded.valkey import Valkey, ValkeyOptions
from tests.freezing import freeze

DATABASES = 256

S = TypeVar("S", Mongod, Valkey)


class OwnServer:
    """A server that belongs to one test: kill it, freeze it, start it again where it was."""

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
        """SIGKILL: gone when this returns."""
        self._server.child.kill()

    def stop_signal(self) -> None:
        """SIGSTOP: the server is silent but connections stay open."""
        freeze(self._server.child.pid)

    def cont(self) -> None:
        self._server.child.send_signal(signal.SIGCONT)

    async def end(self) -> None:
        """Stop in order."""
        await asyncio.to_thread(self._server.close)

    def launch(self) -> None:
        """Start again on the same port and folder, and do not wait."""
        self._server.launch()

    async def start(self) -> None:
        """Start again on the same port and folder, and wait until it serves."""
        self.launch()
        await asyncio.to_thread(self._server.wait_ready)


@asynccontextmanager
async def own_mongod(
    folder: Path, options: MongodOptions | None = None
) -> AsyncIterator[OwnServer]:
    async with owned(Mongod(folder / "own_mongod", options)) as server:
        yield server


@asynccontextmanager
async def own_valkey(
    folder: Path, options: ValkeyOptions | None = None
) -> AsyncIterator[OwnServer]:
    chosen = options or ValkeyOptions(port=0)
    async with owned(Valkey(folder / "own_valkey", chosen)) as server:
        yield server


@asynccontextmanager
async def owned(server: Mongod | Valkey) -> AsyncIterator[OwnServer]:
    own = OwnServer(server)
    try:
        await own.start()
        yield own
    finally:
        own.kill()


@contextmanager
def discarded(server: S) -> Iterator[S]:
    """Run *server* for a block; kill it then, because nobody wants its data any more."""
    try:
        server.launch()
        server.wait_ready()
        yield server
    finally:
        server.child.kill()


@contextmanager
def session_mongod() -> Iterator[str]:
    """Give the URI of the session's MongoDB: ours, unless the environment names another."""
    if uri := os.environ.get("GCSCHED_TEST_MONGO_URI"):
        yield uri
        return
    options = MongodOptions(parameters={"ttlMonitorSleepSecs": "1"})
    with temporary_folder() as folder, discarded(Mongod(folder, options)) as server:
        yield server.uri


@contextmanager
def session_valkey() -> Iterator[str]:
    """Give the URL of the session's Redis: ours, unless the environment names another."""
    if url := os.environ.get("GCSCHED_TEST_REDIS_URL"):
        yield url
        return
    options = ValkeyOptions(port=0, databases=DATABASES)
    with temporary_folder() as folder, discarded(Valkey(folder, options)) as server:
        yield server.url


@contextmanager
def temporary_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="gcsched-test-") as folder:
        yield Path(folder)


def with_database(uri: str, name: str) -> str:
    """Return *uri* naming database *name*; a user stays one of the database named before."""
    parts = urlsplit(uri)
    query = dict(parse_qsl(parts.query))
    if parts.username:
        query.setdefault("authSource", parts.path.lstrip("/") or "admin")
    return parts._replace(path=f"/{name}", query=urlencode(query)).geturl()


def with_number(url: str, number: int) -> str:
    """Return the Redis *url* with database *number*."""
    return urlsplit(url)._replace(path=f"/{number}").geturl()


def how_many_databases(url: str) -> int:
    """Ask Redis; 16 is what it has unless somebody said otherwise, and some refuse to say."""
    with Redis.from_url(url) as client:
        try:
            return int(client.config_get("databases")["databases"])
        except ResponseError:
            return 16


def flush(url: str) -> None:
    with Redis.from_url(url) as client:
        client.flushdb()
