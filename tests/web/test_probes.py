"""The probes report what an orchestrator has to know: at the start, in failures, at the stop."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gcsched import app
from gcsched.errors import CannotListen
from tests.support.in_process_app import RunningApp, make_settings, running_app
from tests.support.ports import free_port
from tests.support.probes import HttpProbe, has_status, probe_http
from tests.support.relay.server import Relay
from tests.support.service_process import ServiceProcess, environment
from tests.support.stores import own_mongod, own_valkey
from tests.support.wait import until


@pytest.fixture
async def service(mongo_uri: str, redis_url: str, relay: Relay) -> AsyncIterator[RunningApp]:
    settings = make_settings(mongo=mongo_uri, redis=redis_url, relay_port=relay.port)
    async with running_app(settings) as service:
        yield service


@pytest.fixture
async def probe(service: RunningApp) -> AsyncIterator[HttpProbe]:
    async with probe_http(service.http) as probe:
        yield probe


async def test_a_healthy_service_names_each_dependency(probe: HttpProbe, relay: Relay) -> None:
    await until(lambda: has_status("ready", probe))

    status, reported = await probe.get_readiness()

    name = f"relay 127.0.0.1:{relay.port}"
    assert status == 200
    assert reported["dependencies"] == {"mongodb": "ok", "redis": "ok", name: "ok"}


@pytest.mark.parametrize("path", ["/livez", "/servez", "/readyz", "/metrics"])
async def test_head_is_answered_without_a_body(path: str, probe: HttpProbe) -> None:
    await until(lambda: has_status("ready", probe))

    assert await probe.request(path, "HEAD") == (200, "")


async def test_a_request_for_another_path_gets_the_list_of_paths(probe: HttpProbe) -> None:
    status, text = await probe.request("/")

    assert status == 404
    assert all(path in text for path in ("/metrics", "/livez", "/servez", "/readyz"))


@pytest.mark.parametrize("how", ["killed", "frozen"])
async def test_without_redis_the_service_is_ready_though_degraded(
    tmp_path: Path, mongo_uri: str, how: str, relay: Relay
) -> None:
    async with own_valkey(tmp_path) as valkey:
        settings = make_settings(mongo=mongo_uri, redis=valkey.uri, relay_port=relay.port)
        async with running_app(settings) as service, probe_http(service.http) as probe:
            await until(lambda: has_status("ready", probe))

            (valkey.freeze if how == "frozen" else valkey.kill)()
            await until(lambda: has_status("degraded", probe))
            status, reported = await probe.get_readiness()

            assert status == 200
            assert reported["dependencies"]["redis"] != "ok"
            assert reported["dependencies"]["mongodb"] == "ok"
            if how == "frozen":
                valkey.resume()
                await until(lambda: has_status("ready", probe), within=20)


@pytest.mark.parametrize("how", ["killed", "frozen"])
async def test_without_mongodb_the_service_is_alive_but_not_ready(
    tmp_path: Path, redis_url: str, how: str, relay: Relay
) -> None:
    async with own_mongod(tmp_path) as mongod:
        settings = make_settings(mongo=mongod.uri, redis=redis_url, relay_port=relay.port)
        async with running_app(settings) as service, probe_http(service.http) as probe:
            await until(lambda: has_status("ready", probe))

            (mongod.freeze if how == "frozen" else mongod.kill)()
            await until(lambda: has_status("unavailable", probe))
            status, reported = await probe.get_readiness()

            assert status == 503
            assert reported["reason"].startswith("mongodb ")
            assert await probe.request("/livez") == (200, "ok\n")
            assert await probe.request("/servez") == (200, "ok\n"), "it is away for all"
            if how == "frozen":
                mongod.resume()
                await until(lambda: has_status("ready", probe), within=20)


async def test_before_mongodb_is_up_the_service_is_alive_and_starting(
    tmp_path: Path, redis_url: str
) -> None:
    away = f"mongodb://127.0.0.1:{free_port()}/x?replicaSet=rs0"
    process = ServiceProcess(
        environment=environment(mongo=away, redis=redis_url, relay_port=9),
        log_file=tmp_path / "service.log",
        port=free_port(),
    )
    try:
        process.launch()
        await until(lambda: "waiting for MongoDB" in process.log)
        async with probe_http(process.http) as probe:
            status, reported = await probe.get_readiness()

            assert (status, reported["status"]) == (503, "starting")
            assert reported["reason"].startswith("waiting for MongoDB: 127.0.0.1:")
            assert await probe.request("/livez") == (200, "ok\n")
            assert await probe.request("/servez") == (503, "the service does not serve yet\n")
    finally:
        await process.kill_if_running()


async def test_a_stopping_service_reports_so_until_the_end(
    mongo_uri: str, redis_url: str, relay: Relay
) -> None:
    settings = make_settings(mongo=mongo_uri, redis=redis_url, relay_port=relay.port)
    stop = asyncio.Event()
    async with app.open_resources(settings) as resources, asyncio.TaskGroup() as tasks:
        assert await app.wait_for_store(resources, stop)
        done = tasks.create_task(app.run(settings, resources, stop))
        async with probe_http(f"http://127.0.0.1:{resources.http_port}") as probe:
            await until(lambda: has_status("ready", probe))

            stop.set()
            await done
            status, reported = await probe.get_readiness()

            assert await probe.request("/servez") == (503, "the service is stopping\n")
        assert (status, reported["status"]) == (503, "stopping")


async def test_a_used_port_is_named_with_its_setting(mongo_uri: str, redis_url: str) -> None:
    async with Relay() as relay:
        listen = f"127.0.0.1:{relay.port}"
        settings = make_settings(mongo=mongo_uri, redis=redis_url, relay_port=9)
        taken = settings.model_copy(update={"http_listen": listen})

        with pytest.raises(CannotListen, match=rf"{listen}.*GCSCHED_HTTP_LISTEN"):
            async with app.open_resources(taken):
                pass
