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
from tests.measure.delivery import Figures
from tests.measure.readiness_cases import (
    FAILURE_CASES,
    RELAY,
    STARTING,
    FailureCase,
    FaultStep,
    Servers,
)
from tests.measure.survive import Scenarios, run_scenarios
from tests.support.command import run_gcsched
from tests.support.ports import free_port
from tests.support.probes import HttpProbe, probe_http
from tests.support.relay.server import Relay
from tests.support.service_process import ServiceProcess, a_meet, environment, scheduler_stub
from tests.support.stores import BareMongod, own_mongod, own_valkey, run_own
from tests.support.wait import until

REPAIRED_WITHIN_SECONDS = 90.0
FIRST_DUE = 1
CALL_INTERVAL_SECONDS = 1.0


@asynccontextmanager
async def run_servers(folder: Path) -> AsyncIterator[Servers]:
    parameters = {"enableTestCommands": "1"}
    async with AsyncExitStack() as stack:
        ground = Servers(
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


async def measure_case(row: FailureCase, folder: Path) -> Figures:
    async with run_servers(folder) as ground:
        row.configure(ground)
        service = ServiceProcess(
            environment=ground.settings, log_file=folder / "service.log", port=free_port()
        )
        service.launch()
        caller = asyncio.create_task(call_every_second(service.target), name="caller")
        try:
            async with probe_http(service.http) as look:
                return await measure_failure(row, ground, service, look)
        finally:
            caller.cancel()
            await asyncio.wait([caller])
            await service.kill_if_running()


async def measure_failure(
    row: FailureCase, ground: Servers, service: ServiceProcess, look: HttpProbe
) -> Figures:
    if row.ready is not STARTING:
        await until(partial(is_serving, look), within=30)
    log_before = len(service.log)
    await apply_step(row.inject, ground)
    begun = time.monotonic()
    is_told = await eventually(partial(is_reported, row, look), row.report_within)
    figures: Figures = {
        "told_after_s": round(time.monotonic() - begun, 1),
        **await read_reports(service, look, row),
        "log": events(service.log[log_before:] if row.ready is not STARTING else service.log),
        "is_true": is_told,
    }
    if row.repair is not None:
        begun = time.monotonic()
        await apply_step(row.repair, ground)
        figures["is_true"] &= await eventually(partial(is_ready, look), REPAIRED_WITHIN_SECONDS)
        figures["ready_again_after_s"] = round(time.monotonic() - begun, 1)
    return figures


async def read_reports(service: ServiceProcess, look: HttpProbe, row: FailureCase) -> Figures:
    code, ready = await look.get_readiness()
    serves, _ = await look.request("/servez")
    status = await run_gcsched("status", GCSCHED_TARGET=service.target)
    return {
        "readyz": f"{code} {ready['status']}",
        "readyz_says": reason_of(row, ready),
        "servez": serves,
        "status_exit_code": status.returncode,
        "status": status_lines(row, status.stdout + status.stderr),
    }


async def is_reported(row: FailureCase, look: HttpProbe) -> bool:
    if not await is_answering(look):
        return False
    code, ready = await look.get_readiness()
    serves, _ = await look.request("/servez")
    is_so = (code, ready["status"]) == row.ready and serves == row.servez_code
    return is_so and re.search(row.reason_pattern, reason_of(row, ready)) is not None


def reason_of(row: FailureCase, ready: dict[str, Any]) -> str:
    """Give what /readyz says of the broken dependency; a relay is named by host and port."""
    told = dict(ready["dependencies"])
    of = [text for name, text in told.items() if name.startswith(row.dependency)]
    return "; ".join(of) or str(ready.get("reason", ""))


def status_lines(row: FailureCase, text: str) -> list[str]:
    """Give those lines of `gcsched status` that tell of it; of a relay, those with a port."""
    pattern = r":\d+ " if row.dependency == RELAY else f"^{row.dependency}|UNAVAILABLE|unavailable"
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


async def call_every_second(target: str) -> None:
    """Ask for a mail each second, to another domain each; who is refused asks again."""
    async with scheduler_stub(target) as stub:
        for number in range(1_000):
            request = a_meet(number, emailID=f"a@d{number}.example", timestamp=FIRST_DUE)
            with suppress(grpc.aio.AioRpcError):
                await stub.ScheduleMeet(request, timeout=5, wait_for_ready=True)
            await asyncio.sleep(CALL_INTERVAL_SECONDS)


async def apply_step(deed: FaultStep, ground: Servers) -> None:
    doing = deed(ground)
    if doing is not None:
        await doing


async def eventually(condition: Callable[[], Awaitable[bool]], within: float) -> bool:
    try:
        return bool(await until(condition, within=within))
    except AssertionError:
        return False


async def is_answering(look: HttpProbe) -> bool:
    try:
        await look.get_readiness()
    except OSError:
        return False
    return True


async def is_serving(look: HttpProbe) -> bool:
    return await is_answering(look) and (await look.request("/servez"))[0] == 200


async def is_ready(look: HttpProbe) -> bool:
    return await look.get_status() == "ready"


async def measure_standalone(folder: Path) -> Figures:
    """A mongod that is no set ends the service: nothing is served."""
    async with run_own(BareMongod(folder / "mongod", standalone=True)) as server, Relay() as its:
        uri = f"mongodb://127.0.0.1:{server.port}/gcsched"
        settings = environment(mongo=uri, redis="redis://127.0.0.1:1", relay_port=its.port)
        service = ServiceProcess(
            environment=settings, log_file=folder / "service.log", port=free_port()
        )
        service.launch()
        code = await service.wait_for_exit()
    said = [line for line in service.log.splitlines() if "standalone" in line]
    return {"exit_code": code, "log": said, "is_true": code == 2 and bool(said)}


SCENARIOS: Scenarios = {
    **{name: partial(measure_case, row) for name, row in FAILURE_CASES.items()},
    "mongodb standalone": measure_standalone,
}

if __name__ == "__main__":
    run_scenarios("tests.measure.readiness", __doc__, SCENARIOS)
