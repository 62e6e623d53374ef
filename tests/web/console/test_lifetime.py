"""From the start of the process to its end: what the console says, and what it lets end."""

import asyncio
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest
import trustme
from aiohttp import web

from gcsched import app as application
from gcsched.config.settings import Settings
from gcsched.errors import CannotListen, Stopping
from gcsched.web.console import routes, server
from gcsched.web.console.acts import Acts
from gcsched.web.console.call import Call
from gcsched.web.console.routing import Kind, Route
from tests.support.certificates import issue, write_pair
from tests.support.console import Browser, ConsoleClients, find_base, open_browser, running_console
from tests.support.in_process_app import make_settings
from tests.support.relay.server import Relay
from tests.support.wait import until

IMPORTED = """
import asyncio, sys
from gcsched import app
from tests.support.in_process_app import make_settings

async def main(**more):
    settings = make_settings(
        mongo="mongodb://127.0.0.1:9/x", redis="redis://127.0.0.1:9/0", relay_port=9, **more
    )
    async with app.open_resources(settings):
        pass

asyncio.run(main(**dict(each.split("=") for each in sys.argv[1:])))
names = ("gcsched.web.console", "gcsched.wiring.console", "itsdangerous")
print(*[each for each in sys.modules if each.startswith(names)], sep="\\n")
"""


def settings_without_stores(console_listen: str) -> Settings:
    return make_settings(
        mongo="mongodb://127.0.0.1:9/x",
        redis="redis://127.0.0.1:9/0",
        relay_port=9,
        console_listen=console_listen,
    )


def find_imported(*settings: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED, *settings], capture_output=True, text=True, check=True
    )
    return [each for each in done.stdout.split() if each.startswith(("gcsched.", "itsdangerous"))]


def test_nothing_of_it_is_imported_where_it_is_off() -> None:
    assert find_imported() == []


def test_it_is_imported_where_it_is_on() -> None:
    assert "gcsched.web.console.server" in find_imported("console_listen=127.0.0.1:0")


async def test_until_the_service_runs_it_says_what_it_waits_for() -> None:
    settings = settings_without_stores("127.0.0.1:0")
    async with application.open_resources(settings) as resources:
        resources.readiness.set_waiting_reason("it does not answer")
        base = f"http://127.0.0.1:{resources.console.port}"
        async with open_browser(base) as browser:
            pages = [await browser.open(path) for path in ("/", "/login", "/keys")]
            act = await browser.send("/login", {"token": "x"})
            style = await browser.open(pages[0].find("link[rel=stylesheet]")[0].get("href")[1:])

    for answer in (*pages, act):
        assert answer.status == 503
        assert "waiting for MongoDB: it does not answer" in answer.words
        assert not answer.find("nav")
    assert style.status == 200


async def test_a_port_that_is_taken_stops_the_start() -> None:
    async with Relay() as taker:
        settings = settings_without_stores(f"127.0.0.1:{taker.port}")
        with pytest.raises(CannotListen, match="GCSCHED_CONSOLE_LISTEN"):
            async with application.open_resources(settings):
                pass


async def test_acts_under_way_end_and_new_ones_are_refused() -> None:
    acts = Acts()
    with acts.begin():
        finishing = asyncio.create_task(acts.finish(within=timedelta(seconds=30)))
        await asyncio.sleep(0)
        with pytest.raises(Stopping), acts.begin():
            pass
        assert not finishing.done()
    await asyncio.wait_for(finishing, 5)


async def test_the_end_does_not_wait_longer_than_it_may_for_an_act() -> None:
    acts = Acts()
    with acts.begin():
        await asyncio.wait_for(acts.finish(within=timedelta(seconds=0.01)), 5)


async def test_an_act_that_has_begun_is_answered_although_the_process_stops(
    mongo_uri: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    has_begun, may_end = asyncio.Event(), asyncio.Event()

    async def act(call: Call) -> web.StreamResponse:
        has_begun.set()
        await may_end.wait()
        return call.redirect("/", done="resumed")

    slow = Route(method="POST", path="/slow", act="GetStatus", handler=act, kind=Kind.ACT)
    monkeypatch.setattr(server, "ROUTES", (*routes.ROUTES, slow))
    async with (
        running_console(mongo=mongo_uri, redis=redis_url) as app,
        open_browser(find_base(app)) as browser,
    ):
        answering = asyncio.create_task(browser.send("/slow"))
        await asyncio.wait_for(has_begun.wait(), 5)
        app.stop.set()
        await until(lambda: refuses_acts(browser))
        page = await browser.open("/")
        may_end.set()
        answer = await answering

    assert (page.status, answer.status) == (200, 303)


async def refuses_acts(browser: Browser) -> bool:
    answer = await browser.send("/view")
    return answer.status == 503 and "this process is stopping" in answer.words.lower()


async def test_new_connections_get_a_new_certificate(
    mongo_uri: str, redis_url: str, tmp_path: Path
) -> None:
    authority, clients = trustme.CA(), ConsoleClients(file=tmp_path / "clients.toml")
    clients.add("read")
    files = write_pair(tmp_path, issue(authority, "localhost"))
    async with running_console(
        mongo=mongo_uri,
        redis=redis_url,
        console_tls_cert_file=str(files.chain),
        console_tls_key_file=str(files.key),
        clients_file=str(clients.file),
        console_listen="0.0.0.0:0",
    ) as app:
        port = app.resources.console.port
        assert await find_status(port, "localhost") == 401
        assert await find_status(port, "gcsched.example.org") == 421
        files.write(issue(authority, "localhost", "gcsched.example.org"))

        async def is_known() -> bool:
            return await find_status(port, "gcsched.example.org") == 401

        await until(is_known)


async def find_status(port: int | None, name: str) -> int:
    connector = aiohttp.TCPConnector(ssl=False, force_close=True)
    async with (
        aiohttp.ClientSession(connector=connector) as session,
        session.get(f"https://127.0.0.1:{port}/", headers={"Host": f"{name}:{port}"}) as answer,
    ):
        return answer.status
