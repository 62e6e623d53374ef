"""The embedded servers: their data, the lock on their folder, their start and their end."""

import asyncio
import signal
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
import trustme
from pymongo import MongoClient
from pymongo.errors import OperationFailure
from redis import AuthenticationError, Redis

from gcsched.dev.stores.children import ChildProcess
from gcsched.dev.stores.mongod import Mongod, MongodOptions, Tls, run_mongod
from gcsched.dev.stores.replica_set import Login
from gcsched.dev.stores.stores import lock_folder, run_embedded_stores
from gcsched.dev.stores.valkey import ValkeyOptions, run_valkey
from gcsched.errors import EmbeddedStoreProblem
from tests.support.stores import own_mongod
from tests.support.wait import until

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="only Linux guarantees this")

PARENT = """
import asyncio, pathlib, sys
from gcsched.dev.stores.stores import run_embedded_stores

async def main():
    async with run_embedded_stores(pathlib.Path(sys.argv[1])) as stores:
        print(stores.mongod.pid, stores.valkey.pid, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


@contextmanager
def connect(uri: str) -> Iterator[MongoClient[dict[str, Any]]]:
    with MongoClient[dict[str, Any]](uri, serverSelectionTimeoutMS=5000) as client:
        yield client


def write_note(uri: str) -> None:
    with connect(uri) as client:
        client.get_default_database().notes.insert_one({"_id": "kept"})


def has_note(uri: str) -> bool:
    with connect(uri) as client:
        return client.get_default_database().notes.find_one({"_id": "kept"}) is not None


def is_gone(process: psutil.Process) -> bool:
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def is_free(folder: Path) -> bool:
    try:
        with lock_folder(folder):
            return True
    except EmbeddedStoreProblem:
        return False


async def test_data_survive_a_restart_on_other_ports(tmp_path: Path) -> None:
    async with run_embedded_stores(tmp_path) as stores:
        first = stores.mongod.port
        write_note(stores.mongod.uri)
        with Redis.from_url(stores.valkey.url) as redis:
            redis.set("note", "kept")

    async with run_embedded_stores(tmp_path) as stores:
        with Redis.from_url(stores.valkey.url) as redis:
            assert redis.get("note") == b"kept"
        assert stores.mongod.port != first
        assert has_note(stores.mongod.uri)


async def test_a_second_start_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    sentence = f"another gcsched dev uses {tmp_path}: stop it, or use --data with another folder"
    with lock_folder(tmp_path), pytest.raises(EmbeddedStoreProblem, match=sentence):
        async with run_embedded_stores(tmp_path):
            pass


@linux_only
async def test_a_killed_parent_leaves_no_child_behind_and_no_lock(tmp_path: Path) -> None:
    parent = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PARENT, str(tmp_path)), stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    pids = (await asyncio.wait_for(parent.stdout.readline(), 10)).split()
    children = [psutil.Process(int(pid)) for pid in pids]
    assert len(children) == 2

    parent.kill()
    await parent.communicate()

    await until(lambda: all(map(is_gone, children)))
    await until(lambda: is_free(tmp_path))


async def test_the_lock_lasts_until_the_last_child_is_gone(tmp_path: Path) -> None:
    async with AsyncExitStack() as servers:
        with lock_folder(tmp_path) as lock:
            await servers.enter_async_context(run_valkey(tmp_path / "valkey", lock=lock))

        assert not is_free(tmp_path)

    assert is_free(tmp_path)


async def test_a_killed_mongod_comes_back_on_its_port_with_its_data(tmp_path: Path) -> None:
    async with own_mongod(tmp_path) as server:
        write_note(server.uri)

        server.kill()
        await server.start()

        assert has_note(server.uri)


async def test_a_taken_port_is_refused_before_anything_starts(tmp_path: Path) -> None:
    async with run_valkey(tmp_path, ValkeyOptions(port=0)) as running:
        assert running.port is not None
        with pytest.raises(EmbeddedStoreProblem, match=f"port {running.port} is taken"):
            Mongod(tmp_path / "mongo", MongodOptions(port=running.port))


async def test_mongod_with_a_login_refuses_others_and_keeps_its_data(tmp_path: Path) -> None:
    login = Login(username="gc sched", password="p@ss/w:rd%")
    async with own_mongod(tmp_path, MongodOptions(login=login)) as running:
        write_note(running.uri)
        with (
            connect(f"mongodb://127.0.0.1:{running.port}/x?directConnection=true") as stranger,
            pytest.raises(OperationFailure, match="requires authentication"),
        ):
            stranger.get_default_database().notes.find_one()

    async with own_mongod(tmp_path, MongodOptions(login=login)) as running:
        assert has_note(running.uri)
    another = MongodOptions(login=replace(login, password="another"))
    with pytest.raises(EmbeddedStoreProblem, match="another MongoDB user or password"):
        async with own_mongod(tmp_path, another):
            pass


async def test_mongod_supports_tls(tmp_path: Path) -> None:
    authority = trustme.CA()
    tls = Tls(certificate=tmp_path / "server.pem", authority=tmp_path / "ca.pem")
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(tls.certificate)
    authority.cert_pem.write_to_path(tls.authority)

    async with own_mongod(tmp_path, MongodOptions(tls=tls)) as running:
        write_note(running.uri)
        assert has_note(running.uri)


@linux_only
async def test_mongod_runs_with_the_libcurl_of_pycurl(tmp_path: Path) -> None:
    async with own_mongod(tmp_path, MongodOptions(borrow_libcurl=True)) as running:
        mapped = {file.path for file in psutil.Process(running.pid).memory_maps()}

    assert [path for path in mapped if "pycurl.libs/libcurl-" in path]


async def test_the_error_of_a_mongod_that_dies_quotes_its_log(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedStoreProblem, match=r"mongod died at its start .*nonsense"):
        async with run_mongod(tmp_path, MongodOptions(parameters={"nonsense": "1"})):
            pass


async def test_valkey_requires_its_password(tmp_path: Path) -> None:
    options = ValkeyOptions(port=0, password="p@ss/w:rd%")
    async with run_valkey(tmp_path, options) as running:
        with Redis.from_url(running.url) as client:
            assert client.ping()
        assert running.port is not None
        with Redis(port=running.port) as stranger, pytest.raises(AuthenticationError):
            stranger.ping()


@pytest.mark.parametrize("name", ["long" * 30, "a folder, 100% ünusual"])
async def test_valkey_opens_its_socket_in_a_folder_of_any_name(tmp_path: Path, name: str) -> None:
    async with run_valkey(tmp_path / name) as running:
        with Redis.from_url(running.url) as client:
            assert client.ping()
        used = running.socket

    assert not used.exists()
    assert used.parent.exists() == (used.parent == running.folder)


async def test_a_child_that_ignores_the_request_to_end_is_killed(tmp_path: Path) -> None:
    script = "trap '' TERM; echo ready; while :; do read -t 1 x </dev/zero; done"
    child = ChildProcess(
        name="stubborn", command=["/bin/sh", "-c", script], log=tmp_path / "log", grace_seconds=0.1
    )
    child.launch()
    child.wait_for(lambda: "ready" in child.log.read_text())

    child.close()

    assert child.process is not None
    assert child.process.returncode == -signal.SIGKILL


async def test_a_child_that_never_becomes_ready_fails(tmp_path: Path) -> None:
    child = ChildProcess(
        name="slow",
        command=["/bin/sleep", "60"],
        log=tmp_path / "log",
        start_timeout_seconds=0.1,
    )
    child.launch()

    with pytest.raises(EmbeddedStoreProblem, match=r"slow was not ready after 0\.1 s"):
        child.wait_for(lambda: False)
    child.close()
