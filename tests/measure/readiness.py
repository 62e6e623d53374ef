"""Break each store and the relay in each way; record what probes, status and log report.

    python -m tests.measure.readiness [CASE …] --json docs/measurements/readiness.json

Each case has its own stores, relay and service, and one call a second. Once /readyz reports what
the case expects, or after 40 s, the reports of /readyz, /servez, `gcsched status` and the log are
recorded. A silent relay may take as long as RFC 5321 allows for its greeting. Then the case is
repaired where possible. `is_true` is true if all was as the case expects.
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
        servers = Servers(
            mongo=await stack.enter_async_context(
                own_mongod(folder, MongodOptions(parameters=parameters))
            ),
            valkey=await stack.enter_async_context(own_valkey(folder)),
            relay=await stack.enter_async_context(Relay(users={"ada": "S3cr3tPW"})),
        )
        servers.settings = environment(
            mongo=servers.mongo.uri,
            redis=servers.valkey.uri,
            relay_port=servers.relay.port,
            smtp_username="ada",
            smtp_password="S3cr3tPW",
        )
        yield servers


async def measure_case(case: FailureCase, folder: Path) -> Figures:
    async with run_servers(folder) as servers:
        case.configure(servers)
        service = ServiceProcess(
            environment=servers.settings, log_file=folder / "service.log", port=free_port()
        )
        service.launch()
        caller = asyncio.create_task(call_every_second(service.target), name="caller")
        try:
            async with probe_http(service.http) as probe:
                return await measure_failure(case, servers, service, probe)
        finally:
            caller.cancel()
            await asyncio.wait([caller])
            await service.kill_if_running()


async def measure_failure(
    case: FailureCase, servers: Servers, service: ServiceProcess, probe: HttpProbe
) -> Figures:
    if case.ready is not STARTING:
        await until(partial(is_serving, probe), within=30)
    log_before = len(service.log)
    await apply_step(case.inject, servers)
    started = time.monotonic()
    is_reported_in_time = await eventually(partial(is_reported, case, probe), case.report_within)
    figures: Figures = {
        "told_after_s": round(time.monotonic() - started, 1),
        **await read_reports(service, probe, case),
        "log": warnings_in(service.log[log_before:] if case.ready is not STARTING else service.log),
        "is_true": is_reported_in_time,
    }
    if case.repair is not None:
        started = time.monotonic()
        await apply_step(case.repair, servers)
        figures["is_true"] &= await eventually(partial(is_ready, probe), REPAIRED_WITHIN_SECONDS)
        figures["ready_again_after_s"] = round(time.monotonic() - started, 1)
    return figures


async def read_reports(service: ServiceProcess, probe: HttpProbe, case: FailureCase) -> Figures:
    code, ready = await probe.get_readiness()
    serves, _ = await probe.request("/servez")
    status = await run_gcsched("status", GCSCHED_TARGET=service.target)
    return {
        "readyz": f"{code} {ready['status']}",
        "readyz_says": reason_of(case, ready),
        "servez": serves,
        "status_exit_code": status.returncode,
        "status": status_lines(case, status.stdout + status.stderr),
    }


async def is_reported(case: FailureCase, probe: HttpProbe) -> bool:
    if not await is_answering(probe):
        return False
    code, ready = await probe.get_readiness()
    serves, _ = await probe.request("/servez")
    is_so = (code, ready["status"]) == case.ready and serves == case.servez_code
    return is_so and re.search(case.reason_pattern, reason_of(case, ready)) is not None


def reason_of(case: FailureCase, ready: dict[str, Any]) -> str:
    """Return what /readyz reports of the broken dependency; a relay's name has host and port."""
    dependencies = dict(ready["dependencies"])
    reasons = [text for name, text in dependencies.items() if name.startswith(case.dependency)]
    return "; ".join(reasons) or str(ready.get("reason", ""))


def status_lines(case: FailureCase, text: str) -> list[str]:
    """Return the lines of `gcsched status` about the broken dependency."""
    pattern = (
        r":\d+ " if case.dependency == RELAY else f"^{case.dependency}|UNAVAILABLE|unavailable"
    )
    return [line.rstrip() for line in text.splitlines() if re.search(pattern, line)]


def warnings_in(log: str) -> list[str]:
    """Return each warning or error in the log once, with its reason and advice."""
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
    """Schedule a mail each second, each to another domain, and ignore errors."""
    async with scheduler_stub(target) as stub:
        for number in range(1_000):
            request = a_meet(number, emailID=f"a@d{number}.example", timestamp=FIRST_DUE)
            with suppress(grpc.aio.AioRpcError):
                await stub.ScheduleMeet(request, timeout=5, wait_for_ready=True)
            await asyncio.sleep(CALL_INTERVAL_SECONDS)


async def apply_step(step: FaultStep, servers: Servers) -> None:
    result = step(servers)
    if result is not None:
        await result


async def eventually(condition: Callable[[], Awaitable[bool]], within: float) -> bool:
    try:
        return bool(await until(condition, within=within))
    except AssertionError:
        return False


async def is_answering(probe: HttpProbe) -> bool:
    try:
        await probe.get_readiness()
    except OSError:
        return False
    return True


async def is_serving(probe: HttpProbe) -> bool:
    return await is_answering(probe) and (await probe.request("/servez"))[0] == 200


async def is_ready(probe: HttpProbe) -> bool:
    return await probe.get_status() == "ready"


async def measure_standalone(folder: Path) -> Figures:
    """Start a service on a standalone mongod: it must exit."""
    async with run_own(BareMongod(folder / "mongod", standalone=True)) as server, Relay() as relay:
        uri = f"mongodb://127.0.0.1:{server.port}/gcsched"
        settings = environment(mongo=uri, redis="redis://127.0.0.1:1", relay_port=relay.port)
        service = ServiceProcess(
            environment=settings, log_file=folder / "service.log", port=free_port()
        )
        service.launch()
        code = await service.wait_for_exit()
    reported = [line for line in service.log.splitlines() if "standalone" in line]
    return {"exit_code": code, "log": reported, "is_true": code == 2 and bool(reported)}


SCENARIOS: Scenarios = {
    **{name: partial(measure_case, case) for name, case in FAILURE_CASES.items()},
    "mongodb standalone": measure_standalone,
}

if __name__ == "__main__":
    run_scenarios("tests.measure.readiness", __doc__, SCENARIOS)
