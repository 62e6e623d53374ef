"""Measure what a service does whose log cannot be written, beside one whose log is healthy.

    python -m tests.measure.log_trouble [FAILURE …] --json docs/measurements/log_trouble.json

For each failure, 500 mails that are due at once are scheduled at an even rate; nothing is random.
Where much is logged, gRPC traces its calls, and 400 health calls a second are added; the service
itself logs one line for each mail. `log_bytes` is the size of the log file at the end, or what the
slow reader had read. `livez_max_seconds` shows how long the event loop was blocked at most;
callers, the relay and the stores share the CPUs. `problems` lists what was not as expected.
"""

import asyncio
import os
import shlex
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.measure.delivery import Figures, count_states
from tests.measure.flood import max_lag_bound, probe_livez, read_lag_histogram
from tests.measure.survive import Scenarios, run_scenarios
from tests.scenarios.cluster import Call, Cluster, a_cluster, quantile, time_call
from tests.support.launch import Launch
from tests.support.ports import free_port
from tests.support.probes import probe_http
from tests.support.service_process import ServiceProcess, Stub, a_meet, environment, scheduler_stub
from tests.support.unwritable_logs import (
    ALL_CLOSED,
    VERBOSE_GRPC,
    a_small_pipe,
    execute_in_shell,
    open_unwritable,
)
from tests.support.wait import until

MAILS = 500
SECONDS = 6.0
HEALTH_CALLS_PER_SECOND = 400.0
DROPPED = "gcsched_log_lines_dropped_total"
TO_THE_FILE = '2>>"$0"'
DISK_BLOCKS = 16  # of 512 bytes
SLOW_BYTES, BETWEEN_READS_SECONDS = 1024, 0.1
MAIL_WITHIN_SECONDS, CALL_WITHIN_SECONDS, END_WITHIN_SECONDS = 2.0, 2.0, 6.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSetup:
    """How to start a service with such a log, and what happens to the log once it serves."""

    launcher: Launch
    on_ready: Callable[[], None] = lambda: None


LogFailure = Callable[[Path], AbstractAsyncContextManager[LogSetup]]


@asynccontextmanager
async def redirect_log(_: Path, streams: str, before: str = "") -> AsyncIterator[LogSetup]:
    yield LogSetup(launcher=partial(execute_in_shell, streams=streams, before=before))


@asynccontextmanager
async def break_log(folder: Path, how: str) -> AsyncIterator[LogSetup]:
    output = open_unwritable(folder, how)
    try:
        yield LogSetup(launcher=partial(execute_in_shell, stderr=output))
    finally:
        os.close(output)


@asynccontextmanager
async def close_reader(folder: Path) -> AsyncIterator[LogSetup]:
    reading, path = a_small_pipe(folder, is_full=False)
    launcher = partial(execute_in_shell, streams=f"2>{shlex.quote(path)}")
    yield LogSetup(launcher=launcher, on_ready=partial(os.close, reading))


@asynccontextmanager
async def read_slowly(folder: Path) -> AsyncIterator[LogSetup]:
    """Read 10 kB a second."""
    reading, path = a_small_pipe(folder, is_full=False)

    async def read_on() -> None:
        with (folder / "service.log").open("ab") as log:
            while True:
                with suppress(BlockingIOError):
                    log.write(os.read(reading, SLOW_BYTES))
                    log.flush()
                await asyncio.sleep(BETWEEN_READS_SECONDS)

    async with asyncio.TaskGroup() as tasks:
        reader = tasks.create_task(read_on())
        yield LogSetup(launcher=partial(execute_in_shell, streams=f"2>{shlex.quote(path)}"))
        reader.cancel()
    os.close(reading)


async def schedule_mails(stub: Stub, due: dict[str, float]) -> list[Call]:
    """Schedule all mails at an even rate; store in *due* when each was scheduled."""
    started, calls = time.monotonic(), list[asyncio.Task[Call]]()
    async with asyncio.TaskGroup() as tasks:
        for number in range(MAILS):
            await asyncio.sleep(max(0.0, started + number * SECONDS / MAILS - time.monotonic()))
            request = a_meet(number, timestamp=int(time.time()))
            due[request.emailID] = time.time()
            calls.append(tasks.create_task(time_call(stub, request)))
    return [await each for each in calls]


@asynccontextmanager
async def call_health(target: str, *, per_second: float) -> AsyncIterator[None]:
    """Call the health service all the time: gRPC traces more of that than the log can hold."""

    async def call_repeatedly() -> None:
        async with grpc.aio.insecure_channel(target) as channel:
            health, started, calls = health_pb2_grpc.HealthStub(channel), time.monotonic(), 0
            while True:
                await health.Check(health_pb2.HealthCheckRequest(), timeout=20)
                calls += 1
                await asyncio.sleep(started + calls / per_second - time.monotonic())

    async with asyncio.TaskGroup() as tasks:
        calling = tasks.create_task(call_repeatedly())
        yield
        calling.cancel()


async def measure_load(cluster: Cluster, service: ServiceProcess, *, much: bool) -> Figures:
    """Send the mails; return the figures of callers, the relay and a probe."""
    lags, due = await read_lag_histogram(service), dict[str, float]()
    async with probe_livez(service) as took, scheduler_stub(service.target) as stub:
        async with (
            call_health(service.target, per_second=HEALTH_CALLS_PER_SECOND)
            if much
            else nullcontext()
        ):
            calls = await schedule_mails(stub, due)
        with suppress(AssertionError):  # reported as `missing`
            await until(lambda: cluster.arrivals().keys() >= due.keys(), within=30, every=0.2)
    with suppress(AssertionError):  # reported as `states`
        await until(lambda: count_states(cluster) == {"SENT": MAILS}, within=10)
    arrived = cluster.arrivals()
    late = sorted(times[0] - due[recipient] for recipient, times in arrived.items())
    seconds = sorted(call.seconds for call in calls)
    async with probe_http(service.http) as probe:
        dropped = (await probe.scrape()).value(DROPPED)
    return {
        "calls": dict(Counter(call.code for call in calls)),
        "call_p99_seconds": round(quantile(seconds, 0.99), 3),
        "call_max_seconds": round(seconds[-1], 3),
        "mails": len(arrived),
        "missing": MAILS - len(arrived),
        "twice": sum(len(times) > 1 for times in arrived.values()),
        "states": count_states(cluster),
        "late_p50_seconds": round(quantile(late, 0.5), 3),
        "late_max_seconds": round(late[-1], 3),
        "livez_max_seconds": round(max(took), 3),
        "loop_lag_max_below_seconds": max_lag_bound(lags, await read_lag_histogram(service)),
        "lines_dropped": dropped,
    }


async def measure_failure(folder: Path, failure: LogFailure, *, much: bool = False) -> Figures:
    log_file = folder / "service.log"
    log_file.touch()
    async with a_cluster(folder, services=0) as cluster, failure(folder) as log:
        stores = {"mongo": cluster.mongo.uri, "redis": cluster.valkey.uri}
        settings = environment(**stores, relay_port=cluster.relay_port, log_level="DEBUG")
        service = ServiceProcess(
            environment={**settings, **(VERBOSE_GRPC if much else {})},
            log_file=log_file,
            port=free_port(),
            launcher=log.launcher,
        )
        try:
            started = time.monotonic()
            await service.start()
            ready = time.monotonic() - started
            log.on_ready()
            seen = await measure_load(cluster, service, much=much)
            started = time.monotonic()
            code = await service.stop()
            ended = time.monotonic() - started
        finally:
            await service.kill_if_running()
    seen = {
        "much_logged": much,
        "ready_seconds": round(ready, 2),
        **seen,
        "end_seconds": round(ended, 2),
        "exit_code": code,
        "log_bytes": log_file.stat().st_size,
    }
    return {**seen, "problems": problems(seen)}


def problems(seen: Figures) -> list[str]:
    kept = {
        "every call OK": seen["calls"] == {"OK": MAILS},
        "calls in time": seen["call_max_seconds"] < CALL_WITHIN_SECONDS,
        "every mail once": (seen["missing"], seen["twice"]) == (0, 0),
        "every job SENT": seen["states"] == {"SENT": MAILS},
        "mails in time": seen["late_max_seconds"] < MAIL_WITHIN_SECONDS,
        "ended in time": seen["end_seconds"] < END_WITHIN_SECONDS,
        "exit code 0": seen["exit_code"] == 0,
    }
    return [promise for promise, is_kept in kept.items() if not is_kept]


HEALTHY = partial(redirect_log, streams=TO_THE_FILE)
FULL_DISK = partial(break_log, how="full disk")
FULL_PIPE = partial(break_log, how="full pipe")
SCENARIOS: Scenarios = {
    "healthy": partial(measure_failure, failure=HEALTHY),
    "healthy, much logged": partial(measure_failure, failure=HEALTHY, much=True),
    "full disk": partial(measure_failure, failure=FULL_DISK),
    "full disk, much logged": partial(measure_failure, failure=FULL_DISK, much=True),
    "disk that fills": partial(
        measure_failure,
        failure=partial(redirect_log, streams=TO_THE_FILE, before=f"ulimit -f {DISK_BLOCKS};"),
    ),
    "pipe without a reader": partial(measure_failure, failure=partial(break_log, how="no reader")),
    "reader leaves": partial(measure_failure, failure=close_reader),
    "reader stands still": partial(measure_failure, failure=FULL_PIPE),
    "reader stands still, much logged": partial(measure_failure, failure=FULL_PIPE, much=True),
    "slow reader": partial(measure_failure, failure=read_slowly),
    "slow reader, much logged": partial(measure_failure, failure=read_slowly, much=True),
    "descriptor 2 closed": partial(measure_failure, failure=partial(redirect_log, streams="2>&-")),
    "descriptors 0 to 2 closed": partial(
        measure_failure, failure=partial(redirect_log, streams=ALL_CLOSED)
    ),
}


if __name__ == "__main__":
    run_scenarios("tests.measure.log_trouble", __doc__, SCENARIOS)
