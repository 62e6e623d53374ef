"""The probes say what an orchestrator has to know, at the start, in trouble and at the end."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gcsched import app
from gcsched.errors import CannotListen
from tests.support.app import Running, a_setting, running
from tests.support.ports import free_port
from tests.support.probes import Looker, is_, looking_at
from tests.support.relay.server import Relay
from tests.support.service import ServiceProcess, environment
from tests.support.stores import own_mongod, own_valkey
from tests.support.wait import until


@pytest.fixture
async def served(mongo_uri: str, redis_url: str, relay: Relay) -> AsyncIterator[Running]:
    settings = a_setting(mongo=mongo_uri, redis=redis_url, relay_port=relay.port)
    async with running(settings) as served:
        yield served


@pytest.fixture
async def look(served: Running) -> AsyncIterator[Looker]:
    async with looking_at(served.http) as look:
        yield look


async def test_all_is_well_and_each_dependency_is_named(look: Looker, relay: Relay) -> None:
    await until(lambda: is_("ready", look))

    status, told = await look.ready()

    name = f"relay 127.0.0.1:{relay.port}"
    assert status == 200
    assert told["dependencies"] == {"mongodb": "ok", "redis": "ok", name: "ok"}


@pytest.mark.parametrize("path", ["/livez", "/servez", "/readyz", "/metrics"])
async def test_head_is_answered_without_a_body(path: str, look: Looker) -> None:
    await until(lambda: is_("ready", look))

    assert await look.ask(path, "HEAD") == (200, "")


async def test_who_asks_for_anything_else_hears_what_there_is(look: Looker) -> None:
    status, text = await look.ask("/")

    assert status == 404
    assert all(path in text for path in ("/metrics", "/livez", "/servez", "/readyz"))


@pytest.mark.parametrize("how", ["killed", "frozen"])
async def test_without_redis_it_is_ready_though_degraded(
    tmp_path: Path, mongo_uri: str, how: str, relay: Relay
) -> None:
    async with own_valkey(tmp_path) as valkey:
        settings = a_setting(mongo=mongo_uri, redis=valkey.uri, relay_port=relay.port)
        async with running(settings) as served, looking_at(served.http) as look:
            await until(lambda: is_("ready", look))

            (valkey.stop_signal if how == "frozen" else valkey.kill)()
            await until(lambda: is_("degraded", look))
            status, told = await look.ready()

            assert status == 200
            assert told["dependencies"]["redis"] != "ok"
            assert told["dependencies"]["mongodb"] == "ok"
            if how == "frozen":
                valkey.cont()
                await until(lambda: is_("ready", look), within=20)


@pytest.mark.parametrize("how", ["killed", "frozen"])
async def test_without_mongodb_it_is_alive_but_not_ready(
    tmp_path: Path, redis_url: str, how: str, relay: Relay
) -> None:
    async with own_mongod(tmp_path) as mongod:
        settings = a_setting(mongo=mongod.uri, redis=redis_url, relay_port=relay.port)
        async with running(settings) as served, looking_at(served.http) as look:
            await until(lambda: is_("ready", look))

            (mongod.stop_signal if how == "frozen" else mongod.kill)()
            await until(lambda: is_("unavailable", look))
            status, told = await look.ready()

            assert status == 503
            assert told["reason"].startswith("mongodb ")
            assert await look.ask("/livez") == (200, "ok\n")
            assert await look.ask("/servez") == (200, "ok\n"), "it is away for all"
            if how == "frozen":
                mongod.cont()
                await until(lambda: is_("ready", look), within=20)


async def test_before_mongodb_is_there_it_is_alive_and_starting(
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
        async with looking_at(process.http) as look:
            status, told = await look.ready()

            assert (status, told["status"]) == (503, "starting")
            assert told["reason"].startswith("waiting for MongoDB: 127.0.0.1:")
            assert await look.ask("/livez") == (200, "ok\n")
            assert await look.ask("/servez") == (503, "it does not serve yet\n")
    finally:
        await process.end()


async def test_while_it_stops_it_says_so_until_the_end(
    mongo_uri: str, redis_url: str, relay: Relay
) -> None:
    settings = a_setting(mongo=mongo_uri, redis=redis_url, relay_port=relay.port)
    stop = asyncio.Event()
    async with app.opened(settings) as resources, asyncio.TaskGroup() as tasks:
        assert await app.store_is_ready(resources, stop)
        done = tasks.create_task(app.run(settings, resources, stop))
        async with looking_at(f"http://127.0.0.1:{resources.http_port}") as look:
            await until(lambda: is_("ready", look))

            stop.set()
            await done
            status, told = await look.ready()

            assert await look.ask("/servez") == (503, "it was told to stop\n")
        assert (status, told["status"]) == (503, "stopping")


async def test_a_port_that_is_taken_is_named_with_its_setting(
    mongo_uri: str, redis_url: str
) -> None:
    async with Relay() as taker:
        listen = f"127.0.0.1:{taker.port}"
        settings = a_setting(mongo=mongo_uri, redis=redis_url, relay_port=9)
        taken = settings.model_copy(update={"http_listen": listen})

        with pytest.raises(CannotListen, match=rf"{listen}.*GCSCHED_HTTP_LISTEN"):
            async with app.opened(taken):
                pass
