"""Measure what a service does whose log cannot be written, beside one whose log is healthy.

    python -m tests.measure.log_trouble [TROUBLE …] --json docs/measurements/log_trouble.json

For each trouble 500 mails that are due at once, asked for at an even rate. Nothing is drawn, so
there is no seed. Where much is logged gRPC traces its calls, and 400 more a second ask for the
health; our own lines are one for each mail. `log_bytes` counts what was in the file at the end, or
had come to the slow reader.
`livez_max_seconds` says how long the event loop was held at most; callers, the relay and the
stores are on the same processors. `problems` lists what did not hold.
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

from tests.measure.delivery import Figures, states
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
HEALTH_CALLS_PER_SECOND = 400.0  # calls a second
DROPPED = "gcsched_log_lines_dropped_total"
TO_THE_FILE = '2>>"$0"'
DISK_BLOCKS = 16  # of 512 bytes
SLOW_BYTES, BETWEEN_READS_SECONDS = 1024, 0.1
MAIL_WITHIN_SECONDS, CALL_WITHIN_SECONDS, END_WITHIN_SECONDS = 2.0, 2.0, 6.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSetup:
    """How to begin a service with such a log, and what becomes of the log when it serves."""

    begin: Launch
    on_ready: Callable[[], None] = lambda: None


LogFailure = Callable[[Path], AbstractAsyncContextManager[LogSetup]]


@asynccontextmanager
async def redirect_log(_: Path, words: str, before: str = "") -> AsyncIterator[LogSetup]:
    yield LogSetup(begin=partial(execute_in_shell, streams=words, before=before))


@asynccontextmanager
async def break_log(folder: Path, how: str) -> AsyncIterator[LogSetup]:
    output = open_unwritable(folder, how)
    try:
        yield LogSetup(begin=partial(execute_in_shell, stderr=output))
    finally:
        os.close(output)


@asynccontextmanager
async def close_reader(folder: Path) -> AsyncIterator[LogSetup]:
    reading, path = a_small_pipe(folder, is_full=False)
    begin = partial(execute_in_shell, streams=f"2>{shlex.quote(path)}")
    yield LogSetup(begin=begin, on_ready=partial(os.close, reading))


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
        yield LogSetup(begin=partial(execute_in_shell, streams=f"2>{shlex.quote(path)}"))
        reader.cancel()
    os.close(reading)


async def schedule_mails(stub: Stub, due: dict[str, float]) -> list[Call]:
    """Ask for all mails at an even rate; keep in *due* when each was asked for."""
    begun, calls = time.monotonic(), list[asyncio.Task[Call]]()
    async with asyncio.TaskGroup() as tasks:
        for number in range(MAILS):
            await asyncio.sleep(max(0.0, begun + number * SECONDS / MAILS - time.monotonic()))
            request = a_meet(number, timestamp=int(time.time()))
            due[request.emailID] = time.time()
            calls.append(tasks.create_task(time_call(stub, request)))
    return [await each for each in calls]


@asynccontextmanager
async def call_health(target: str, *, per_second: float) -> AsyncIterator[None]:
    """Ask for the health on and on: what gRPC tells of that is more than the log can keep."""

    async def ask_on() -> None:
        async with grpc.aio.insecure_channel(target) as channel:
            health, begun, asked = health_pb2_grpc.HealthStub(channel), time.monotonic(), 0
            while True:
                await health.Check(health_pb2.HealthCheckRequest(), timeout=20)
                asked += 1
                await asyncio.sleep(begun + asked / per_second - time.monotonic())

    async with asyncio.TaskGroup() as tasks:
        asking = tasks.create_task(ask_on())
        yield
        asking.cancel()


async def measure_load(stage: Cluster, service: ServiceProcess, *, much: bool) -> Figures:
    """Send the mails; give what callers, the relay and a probe saw."""
    lags, due = await read_lag_histogram(service), dict[str, float]()
    async with probe_livez(service) as took, scheduler_stub(service.target) as stub:
        async with (
            call_health(service.target, per_second=HEALTH_CALLS_PER_SECOND)
            if much
            else nullcontext()
        ):
            calls = await schedule_mails(stub, due)
        with suppress(AssertionError):  # `missing` says so
            await until(lambda: stage.arrivals().keys() >= due.keys(), within=30, every=0.2)
    with suppress(AssertionError):  # `states` says so
        await until(lambda: states(stage) == {"SENT": MAILS}, within=10)
    arrived = stage.arrivals()
    late = sorted(times[0] - due[recipient] for recipient, times in arrived.items())
    seconds = sorted(call.seconds for call in calls)
    async with probe_http(service.http) as look:
        dropped = (await look.scrape()).value(DROPPED)
    return {
        "calls": dict(Counter(call.code for call in calls)),
        "call_p99_seconds": round(quantile(seconds, 0.99), 3),
        "call_max_seconds": round(seconds[-1], 3),
        "mails": len(arrived),
        "missing": MAILS - len(arrived),
        "twice": sum(len(times) > 1 for times in arrived.values()),
        "states": states(stage),
        "late_p50_seconds": round(quantile(late, 0.5), 3),
        "late_max_seconds": round(late[-1], 3),
        "livez_max_seconds": round(max(took), 3),
        "loop_lag_max_below_seconds": max_lag_bound(lags, await read_lag_histogram(service)),
        "lines_dropped": dropped,
    }


async def measure_failure(folder: Path, failure: LogFailure, *, much: bool = False) -> Figures:
    log_file = folder / "service.log"
    log_file.touch()
    async with a_cluster(folder, services=0) as stage, failure(folder) as log:
        stores = {"mongo": stage.mongo.uri, "redis": stage.valkey.uri}
        settings = environment(**stores, relay_port=stage.relay_port, log_level="DEBUG")
        service = ServiceProcess(
            environment={**settings, **(VERBOSE_GRPC if much else {})},
            log_file=log_file,
            port=free_port(),
            launcher=log.begin,
        )
        try:
            begun = time.monotonic()
            await service.start()
            ready = time.monotonic() - begun
            log.on_ready()
            seen = await measure_load(stage, service, much=much)
            begun = time.monotonic()
            code = await service.stop()
            ended = time.monotonic() - begun
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


HEALTHY = partial(redirect_log, words=TO_THE_FILE)
FULL_DISK = partial(break_log, how="full disk")
FULL_PIPE = partial(break_log, how="full pipe")
SCENARIOS: Scenarios = {
    "healthy": partial(measure_failure, failure=HEALTHY),
    "healthy, much logged": partial(measure_failure, failure=HEALTHY, much=True),
    "full disk": partial(measure_failure, failure=FULL_DISK),
    "full disk, much logged": partial(measure_failure, failure=FULL_DISK, much=True),
    "disk that fills": partial(
        measure_failure,
        failure=partial(redirect_log, words=TO_THE_FILE, before=f"ulimit -f {DISK_BLOCKS};"),
    ),
    "pipe without a reader": partial(measure_failure, failure=partial(break_log, how="no reader")),
    "reader leaves": partial(measure_failure, failure=close_reader),
    "reader stands still": partial(measure_failure, failure=FULL_PIPE),
    "reader stands still, much logged": partial(measure_failure, failure=FULL_PIPE, much=True),
    "slow reader": partial(measure_failure, failure=read_slowly),
    "slow reader, much logged": partial(measure_failure, failure=read_slowly, much=True),
    "descriptor 2 closed": partial(measure_failure, failure=partial(redirect_log, words="2>&-")),
    "descriptors 0 to 2 closed": partial(
        measure_failure, failure=partial(redirect_log, words=ALL_CLOSED)
    ),
}


if __name__ == "__main__":
    run_scenarios("tests.measure.log_trouble", __doc__, SCENARIOS)
