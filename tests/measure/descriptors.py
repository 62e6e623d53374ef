"""Hold connections without a complete request on a service, and measure its other callers.

    python -m tests.measure.descriptors --json docs/measurements/descriptors.json

The service may open 256 descriptors. For each kind of incomplete request, more connections than
that are held; meanwhile there are calls on a channel that was open before, mails, probes on a new
connection each, and one call on a new channel.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import grpc
import psutil

from tests.measure.delivery import Figures
from tests.measure.survive import Scenarios, run_scenarios
from tests.scenarios.cluster import Cluster, a_cluster, quantile
from tests.support.half_connections import HALF_GRPC, HALF_HTTP, hold_connections
from tests.support.launch import execute_service
from tests.support.ports import free_port
from tests.support.probes import probe_http
from tests.support.service_process import ServiceProcess, Stub, a_meet, environment, scheduler_stub
from tests.support.wait import until

DESCRIPTORS = 256
HELD_SECONDS = 8.0
CLOSED_WITHIN_SECONDS = 90.0


@asynccontextmanager
async def a_limited_service(cluster: Cluster) -> AsyncIterator[ServiceProcess]:
    settings = environment(
        mongo=cluster.mongo.uri, redis=cluster.valkey.uri, relay_port=cluster.relay_port
    )
    limit = f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, {(DESCRIPTORS,) * 2})"
    serve = "import sys; from gcsched.cli.main import main; sys.exit(main(['serve']))"
    running = ServiceProcess(
        environment=settings,
        log_file=cluster.folder / f"{time.time()}.log",
        port=free_port(),
        launcher=partial(execute_service, command=("-c", f"{limit}; {serve}")),
    )
    try:
        await running.start()
        yield running
    finally:
        await running.kill_if_running()


async def call_until(stub: Stub, end: float, seen: Figures) -> list[float]:
    """Call 20 times a second until *end*; return the seconds that each call took."""
    took = []
    while time.monotonic() < end:
        started = time.monotonic()
        number = seen["accepted"]
        try:
            await stub.ScheduleMeet(a_meet(number, timestamp=int(time.time())), timeout=5)
        except grpc.aio.AioRpcError as error:
            seen["failed"].append(error.code().name)
        else:
            seen["accepted"] += 1
            took.append(time.monotonic() - started)
        await asyncio.sleep(0.05)
    return took


async def probe_until(http: str, end: float) -> tuple[list[float], int]:
    """Request /livez on a new connection each time; return the seconds and the failures."""
    took, failed = [], 0
    while time.monotonic() < end:
        started = time.monotonic()
        try:
            async with asyncio.timeout(5), probe_http(http) as probe:
                assert (await probe.request("/livez"))[0] == 200
        except (OSError, TimeoutError, AssertionError):
            failed += 1
        else:
            took.append(time.monotonic() - started)
        await asyncio.sleep(0.1)
    return took, failed


async def time_new_caller(target: str) -> float:
    """Return how many seconds a call on a new channel takes, including the connection."""
    started = time.monotonic()
    async with scheduler_stub(target) as stub:
        await stub.ScheduleMeet(
            a_meet(999_999, timestamp=int(time.time())), timeout=80, wait_for_ready=True
        )
    return time.monotonic() - started


async def measure_held_connections(
    folder: Path, which: str, kinds: Mapping[str, bytes], drip: bytes = b""
) -> Figures:
    async with a_cluster(folder, services=0) as cluster, a_limited_service(cluster) as running:
        process = psutil.Process(running.pid)
        async with scheduler_stub(running.target) as stub:
            seen: Figures = {"accepted": 0, "failed": []}
            await call_until(stub, time.monotonic() + 1, seen)
            before = process.num_fds()
            port = running.port if which == "grpc" else running.http_port
            end = time.monotonic() + HELD_SECONDS
            async with hold_connections(port, kinds, each=DESCRIPTORS // len(kinds) + 1) as holders:
                holders.drip = drip
                calling = asyncio.create_task(call_until(stub, end, seen))
                probing = asyncio.create_task(probe_until(running.http, end))
                await asyncio.sleep(1)
                most = process.num_fds()
                new = asyncio.create_task(time_new_caller(running.target))
                took, (probes, failed_probes) = await calling, await probing
                started = time.monotonic()
                await until(lambda: not holders.open, within=CLOSED_WITHIN_SECONDS)
                closed_after = HELD_SECONDS + time.monotonic() - started
                wait_of_newcomer = await new
            after = process.num_fds()  # stores and relay sessions may have added some since
            await until(lambda: cluster.count_recipients() == seen["accepted"] + 1, within=30)
            code = await running.stop()
    return {
        "connections": (DESCRIPTORS // len(kinds) + 1) * len(kinds),
        "descriptors_before": before,
        "descriptors_most": most,
        "descriptors_after": after,
        "calls": len(took),
        "calls_failed": len(seen["failed"]),
        "call_p99_ms": round(quantile(sorted(took), 0.99) * 1e3, 1),
        "probes": len(probes),
        "probes_failed": failed_probes,
        "probe_max_ms": round(max(probes) * 1e3, 1),
        "newcomer_waited_seconds": round(wait_of_newcomer, 2),
        "all_closed_after_seconds": round(closed_after, 1),
        "mails": seen["accepted"] + 1,
        "exit_code": code,
    }


SCENARIOS: Scenarios = {
    **{
        f"http {name}": partial(measure_held_connections, which="http", kinds={name: words})
        for name, words in HALF_HTTP.items()
    },
    "http dripping headers": partial(
        measure_held_connections,
        which="http",
        kinds={"dripping": b"GET /livez HTTP/1.1\r\nHost: a\r\n"},
        drip=b"X-Drop: drop\r\n",
    ),
    **{
        f"grpc {name}": partial(measure_held_connections, which="grpc", kinds={name: words})
        for name, words in HALF_GRPC.items()
    },
}


if __name__ == "__main__":
    run_scenarios("tests.measure.descriptors", __doc__, SCENARIOS)
