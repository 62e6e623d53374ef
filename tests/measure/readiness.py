"""Break each store and the relay in each way, and set beside each other what tells of it.

    python -m tests.measure.readiness [ROW …] --json docs/measurements/readiness.json

For each row stores, a relay and a service of their own, and a mail asked for each second. Once
/readyz says what it has to say, or after 40 s, it is kept with /servez, `gcsched status` and what
the log said. A relay that is silent may take as long as RFC 5321 waits for its greeting. Then the
row is mended where it can be. `is_true` compares with what the row expects.
"""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import grpc

from gcsched.dev.stores.mongod import MongodOptions
from tests.measure.spine import Figures
from tests.measure.survive import Scenarios, run_scenarios
from tests.measure.unready import OF_RELAY, ROWS, STARTING, Deed, Ground, Row
from tests.support.command import gcsched
from tests.support.ports import free_port
from tests.support.probes import Looker, looking_at
from tests.support.relay.server import Relay
from tests.support.service import ServiceProcess, a_meet, environment, scheduler
from tests.support.stores import BareMongod, own_mongod, own_valkey, owned
from tests.support.wait import until

MENDED_WITHIN_SECONDS = 90.0
FIRST_DUE = 1
OFTEN = 1.0


@asynccontextmanager
async def a_ground(folder: Path) -> AsyncIterator[Ground]:
    parameters = {"enableTestCommands": "1"}
    async with AsyncExitStack() as stack:
        ground = Ground(
            mongo=await stack.enter_async_context(
                own_mongod(folder, MongodOptions(parameters=parameters))
            ),
            valkey=await stack.enter_async_context(own_valkey(folder)),
            relay=await stack.enter_async_context(Relay(users={"ada": "S3cr3tPW"})),
        )
        ground.settings = environment(
            mongo=ground.mongo.uri,
            redis=ground.valkey.uri,
            relay_port=ground.relay.port,
            smtp_username="ada",
            smtp_password="S3cr3tPW",
        )
        yield ground


async def seen(row: Row, folder: Path) -> Figures:
    async with a_ground(folder) as ground:
        row.before(ground)
        service = ServiceProcess(
            environment=ground.settings, log_file=folder / "service.log", port=free_port()
        )
        service.launch()
        caller = asyncio.create_task(call(service.target), name="caller")
        try:
            async with looking_at(service.http) as look:
                return await watched(row, ground, service, look)
        finally:
            caller.cancel()
            await asyncio.wait([caller])
            await service.end()


async def watched(row: Row, ground: Ground, service: ServiceProcess, look: Looker) -> Figures:
    if row.ready is not STARTING:
        await until(partial(is_serving, look), within=30)
    log_before = len(service.log)
    await done(row.harm, ground)
    begun = time.monotonic()
    is_told = await eventually(partial(says, row, look), row.told_within)
    figures: Figures = {
        "told_after_s": round(time.monotonic() - begun, 1),
        **await told_by(service, look, row),
        "log": events(service.log[log_before:] if row.ready is not STARTING else service.log),
        "is_true": is_told,
    }
    if row.mend is not None:
        begun = time.monotonic()
        await done(row.mend, ground)
        figures["is_true"] &= await eventually(partial(is_ready, look), MENDED_WITHIN_SECONDS)
        figures["ready_again_after_s"] = round(time.monotonic() - begun, 1)
    return figures


async def told_by(service: ServiceProcess, look: Looker, row: Row) -> Figures:
    code, ready = await look.ready()
    serves, _ = await look.ask("/servez")
    status = await gcsched("status", GCSCHED_TARGET=service.target)
    return {
        "readyz": f"{code} {ready['status']}",
        "readyz_says": says_of(row, ready),
        "servez": serves,
        "status_exit_code": status.returncode,
        "status": lines_of(row, status.stdout + status.stderr),
    }


async def says(row: Row, look: Looker) -> bool:
    if not await answers(look):
        return False
    code, ready = await look.ready()
    serves, _ = await look.ask("/servez")
    is_so = (code, ready["status"]) == row.ready and serves == row.serves
    return is_so and re.search(row.words, says_of(row, ready)) is not None


def says_of(row: Row, ready: dict[str, Any]) -> str:
    """Give what /readyz says of the broken dependency; a relay is named by host and port."""
    told = dict(ready["dependencies"])
    of = [text for name, text in told.items() if name.startswith(row.of)]
    return "; ".join(of) or str(ready.get("reason", ""))


def lines_of(row: Row, text: str) -> list[str]:
    """Give those lines of `gcsched status` that tell of it; of a relay, those with a port."""
    pattern = r":\d+ " if row.of == OF_RELAY else f"^{row.of}|UNAVAILABLE|unavailable"
    return [line.rstrip() for line in text.splitlines() if re.search(pattern, line)]


def events(log: str) -> list[str]:
    """Give each warning or worse that was logged, once, with its reason."""
    found: dict[str, None] = {}
    for line in log.splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            event = {"level": "error", "event": line}
        if event.get("level") in {"warning", "error", "critical"}:
            why = event.get("error") or event.get("reason") or ""
            advice = event.get("advice") or ""
            found[": ".join(filter(None, (str(event["event"]), str(why), str(advice))))] = None
    return [*found]


async def call(target: str) -> None:
    """Ask for a mail each second, to another domain each; who is refused asks again."""
    async with scheduler(target) as stub:
        for number in range(1_000):
            request = a_meet(number, emailID=f"a@d{number}.example", timestamp=FIRST_DUE)
            with suppress(grpc.aio.AioRpcError):
                await stub.ScheduleMeet(request, timeout=5, wait_for_ready=True)
            await asyncio.sleep(OFTEN)


async def done(deed: Deed, ground: Ground) -> None:
    doing = deed(ground)
    if doing is not None:
        await doing


async def eventually(condition: Callable[[], Awaitable[bool]], within: float) -> bool:
    try:
        return bool(await until(condition, within=within))
    except AssertionError:
        return False


async def answers(look: Looker) -> bool:
    try:
        await look.ready()
    except OSError:
        return False
    return True


async def is_serving(look: Looker) -> bool:
    return await answers(look) and (await look.ask("/servez"))[0] == 200


async def is_ready(look: Looker) -> bool:
    return await look.status() == "ready"


async def refused_standalone(folder: Path) -> Figures:
    """A mongod that is no set ends the service: nothing is served."""
    async with owned(BareMongod(folder / "mongod", standalone=True)) as server, Relay() as its:
        uri = f"mongodb://127.0.0.1:{server.port}/gcsched"
        settings = environment(mongo=uri, redis="redis://127.0.0.1:1", relay_port=its.port)
        service = ServiceProcess(
            environment=settings, log_file=folder / "service.log", port=free_port()
        )
        service.launch()
        code = await service.ended()
    said = [line for line in service.log.splitlines() if "standalone" in line]
    return {"exit_code": code, "log": said, "is_true": code == 2 and bool(said)}


SCENARIOS: Scenarios = {
    **{name: partial(seen, row) for name, row in ROWS.items()},
    "mongodb standalone": refused_standalone,
}

if __name__ == "__main__":
    run_scenarios("tests.measure.readiness", __doc__, SCENARIOS)
