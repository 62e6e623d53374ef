"""Measure what the console costs: each page among many jobs, and tabs that refresh beside mails.

    python -m tests.measure.console_costs [--waiting 1000000] [--tabs 50] [--rounds 4]
        [--json docs/measurements/console_costs.json]

Pages are opened one after the other: the CPU time of the service, and the statements that MongoDB
profiled. Then mails are due each second, with and without tabs in turn: each tab shows one page and
refreshes it as its script does. Prints figures and checks nothing.
"""

import argparse
import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
from pymongo import MongoClient

from gcsched.web.console.routes import ROUTES
from gcsched.web.console.routing import OPEN
from tests.measure.bench import Bench, run_bench, run_services
from tests.measure.bursts import measure_burst, run_in_turns
from tests.measure.command_line import build_parser, run_measurement
from tests.measure.delivery import Figures
from tests.measure.every_second import measure_seconds
from tests.measure.filling import fill
from tests.support.console import REFRESH
from tests.support.ports import free_port

OPENS = 50
PROFILED_OPENS = 10
REFRESH_SECONDS = 5.0
SHOWN = ("/", "/jobs", "/relays")  # what tabs stay on
DEV_ONLY = "/inbox"


async def measure(folder: Path, options: argparse.Namespace) -> Figures:
    listen = f"127.0.0.1:{free_port()}"
    with run_bench(folder, cache_gb=4.0, is_pinned=not options.unpinned) as bench:
        filling = partial(fill, bench.mongo.uri, options.waiting, seed=options.seed)
        filled = await asyncio.to_thread(partial(filling, index_first=True))
        await bench.settle()
        async with (
            run_services(bench, console_listen=listen),
            aiohttp.ClientSession(f"http://{listen}") as browser,
        ):
            await measure_burst(bench, 1_000)  # sessions and caches as in service
            pages = {
                address: await measure_page(bench, browser, address)
                for address in await list_addresses(bench)
            }
            work = {
                "without_tabs": partial(measure_seconds, bench, options),
                "with_tabs": partial(measure_beside_tabs, bench, browser, options),
            }
            beside = await run_in_turns(options.rounds, work)
    return {"waiting": options.waiting, "filled": filled, "pages": pages, "beside_mails": beside}


async def list_addresses(bench: Bench) -> Sequence[str]:
    """Return the address of each page that shows stored things; that of a job with an id."""
    with MongoClient[dict[str, Any]](bench.mongo.uri) as client:
        job = await asyncio.to_thread(client.get_default_database()["jobs"].find_one)
    assert job is not None
    found = [
        route.path.replace("/jobs/{id}", f"/jobs/{job['_id']}")
        for route in ROUTES
        if route.method == "GET" and route.act != OPEN and not route.path.startswith(DEV_ONLY)
    ]
    return [each for each in found if "{" not in each]


async def measure_page(bench: Bench, browser: aiohttp.ClientSession, address: str) -> Figures:
    """Open the page at *address* again and again; the first times are not counted."""
    status = 0
    for _ in range(3):
        status = (await open_page(browser, address))[0]
    before = bench.cpu_seconds()
    for _ in range(OPENS):
        _, octets = await open_page(browser, address)
    after = bench.cpu_seconds()
    statements = await count_statements(bench, browser, address)
    return {
        "status": status,
        "octets": octets,
        "cpu_ms": {
            name: round((after[name] - before[name]) / OPENS * 1e3, 2)
            for name in ("gcsched", "mongod")
        },
        **statements,
    }


async def open_page(
    browser: aiohttp.ClientSession, address: str, headers: Mapping[str, str] | None = None
) -> tuple[int, int]:
    async with browser.get(address, headers=headers) as answer:
        return answer.status, len(await answer.read())


async def count_statements(bench: Bench, browser: aiohttp.ClientSession, address: str) -> Figures:
    """Return the statements for one page, those of the service's own loops included."""
    with MongoClient[dict[str, Any]](bench.mongo.uri) as client:
        database = client.get_default_database()
        await asyncio.to_thread(database.command, "profile", 2)
        for _ in range(PROFILED_OPENS):
            await open_page(browser, address)
        await asyncio.to_thread(database.command, "profile", 0)
        read = partial(database["system.profile"].find, {"op": {"$in": ["query", "command"]}})
        profiled = [
            each
            for each in await asyncio.to_thread(lambda: list(read()))
            if "profile" not in each.get("command", {})
        ]
        await asyncio.to_thread(database["system.profile"].drop)
    return {
        "statements": round(len(profiled) / PROFILED_OPENS, 1),
        "most_keys_examined": max((each.get("keysExamined", 0) for each in profiled), default=0),
        "slowest_ms": max((each.get("millis", 0) for each in profiled), default=0),
    }


async def measure_beside_tabs(
    bench: Bench, browser: aiohttp.ClientSession, options: argparse.Namespace
) -> Figures:
    async with refreshing_tabs(browser, options.tabs) as answers:
        figures = await measure_seconds(bench, options)
    return {**figures, "refreshes": len(answers), "not_changed": answers.count(304)}


@asynccontextmanager
async def refreshing_tabs(browser: aiohttp.ClientSession, count: int) -> AsyncIterator[list[int]]:
    """Keep *count* tabs open; yield the statuses of their refreshes, which grow."""
    answers: list[int] = []
    async with asyncio.TaskGroup() as tasks:
        tabs = [
            tasks.create_task(
                keep_open(browser, SHOWN[number % len(SHOWN)], number / count, answers)
            )
            for number in range(count)
        ]
        yield answers
        for each in tabs:
            each.cancel()


async def keep_open(
    browser: aiohttp.ClientSession, address: str, place: float, answers: list[int]
) -> None:
    """Refresh the page at *address*; *place* says when within each interval."""
    etag = ""
    await asyncio.sleep(place * REFRESH_SECONDS)
    with suppress(asyncio.CancelledError):
        while True:
            headers = {**REFRESH, "If-None-Match": etag}
            async with browser.get(address, headers=headers) as answer:
                await answer.read()
                answers.append(answer.status)
                etag = answer.headers.get("ETag", etag)
            await asyncio.sleep(REFRESH_SECONDS)


def main() -> None:
    parser = build_parser(__doc__)
    parser.add_argument("--waiting", type=int, default=1_000_000)
    parser.add_argument("--tabs", type=int, default=50)
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--per-second", type=int, default=200)
    run_measurement("tests.measure.console_costs", parser.parse_args(), measure)


if __name__ == "__main__":
    main()
