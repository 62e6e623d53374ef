"""Stores that the program cannot use: it exits with 2 and one line, or waits and says why."""

from pathlib import Path

import pytest

from tests.support.command import run_gcsched
from tests.support.ports import free_port
from tests.support.probes import probe_http
from tests.support.service_process import ServiceProcess, environment
from tests.support.stores import BareMongod, run_own
from tests.support.wait import until

SECRET = "S3cr3tPW"


def a_service(folder: Path, *, mongo: str, redis: str) -> ServiceProcess:
    return ServiceProcess(
        environment=environment(mongo=mongo, redis=redis, relay_port=9),
        log_file=folder / "service.log",
        port=free_port(),
    )


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("redis", f"redis://:{SECRET}#x@127.0.0.1:6379/0"),
        ("redis", f"redis://:{SECRET}@127.0.0.1:6379/0?wibble=1"),
        ("mongo", f"mongodb://ada:{SECRET}/x@127.0.0.1/db"),
        ("mongo", f"mongodb://ada:{SECRET}@127.0.0.1/db?tls=true&tlsCAFile=/etc/passwd"),
    ],
)
async def test_an_unusable_url_is_reported_in_one_line_without_its_password(
    name: str, url: str
) -> None:
    stores = {"mongo": "mongodb://127.0.0.1/db", "redis": "redis://127.0.0.1", name: url}

    done = await run_gcsched("serve", **environment(**stores, relay_port=9))

    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "cannot be used" in done.stderr
    assert SECRET not in done.stderr + done.stdout


async def test_a_standalone_mongod_that_starts_later_ends_it_with_the_line_that_helps(
    tmp_path: Path, redis_url: str
) -> None:
    async with run_own(BareMongod(tmp_path / "mongod", standalone=True)) as server:
        server.kill()
        uri = f"mongodb://127.0.0.1:{server.port}/db"
        process = a_service(tmp_path, mongo=uri, redis=redis_url)
        try:
            process.launch()
            await until(lambda: "waiting for MongoDB" in process.log, within=30)
            assert "Connection refused: is it running?" in process.log
            await server.start()
            code = await process.wait_for_exit()
        finally:
            await process.kill_if_running()

    assert code == 2
    assert "standalone" in process.log
    assert "--replSet rs0" in process.log


async def test_a_replica_set_that_was_never_initiated_is_reported_in_log_and_readiness(
    tmp_path: Path, redis_url: str
) -> None:
    async with run_own(BareMongod(tmp_path / "mongod", standalone=False)) as server:
        uri = f"mongodb://127.0.0.1:{server.port}/db?replicaSet=rs0&serverSelectionTimeoutMS=300"
        process = a_service(tmp_path, mongo=uri, redis=redis_url)
        try:
            process.launch()
            await until(lambda: "rs.initiate()" in process.log, within=30)
            async with probe_http(process.http) as probe:
                status, ready = await probe.get_readiness()
        finally:
            await process.kill_if_running()

    assert status == 503
    assert ready["reason"].startswith("waiting for MongoDB: its replica set was never initiated")
