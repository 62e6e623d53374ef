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

from tests.measure.flood import lag, longest, looks
from tests.measure.spine import Figures, states
from tests.measure.survive import Scenarios, run_scenarios
from tests.scenarios.cluster import Call, Stage, a_stage, quantile, timed
from tests.support.launch import Launch
from tests.support.log_troubles import ALL_CLOSED, MUCH_LOGGED, a_small_pipe, in_a_shell, unwritable
from tests.support.ports import free_port
from tests.support.probes import looking_at
from tests.support.service import ServiceProcess, Stub, a_meet, environment, scheduler
from tests.support.wait import until

MAILS = 500
SECONDS = 6.0
CHATTER = 400.0  # calls a second
DROPPED = "gcsched_log_lines_dropped_total"
TO_THE_FILE = '2>>"$0"'
DISK_BLOCKS = 16  # of 512 bytes
SLOW_BYTES, BETWEEN_READS_SECONDS = 1024, 0.1
MAIL_WITHIN_SECONDS, CALL_WITHIN_SECONDS, END_WITHIN_SECONDS = 2.0, 2.0, 6.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """How to begin a service with such a log, and what becomes of the log when it serves."""

    begin: Launch
    on_ready: Callable[[], None] = lambda: None


Trouble = Callable[[Path], AbstractAsyncContextManager[Log]]


@asynccontextmanager
async def streams(_: Path, words: str, before: str = "") -> AsyncIterator[Log]:
    yield Log(begin=partial(in_a_shell, streams=words, before=before))


@asynccontextmanager
async def broken(folder: Path, how: str) -> AsyncIterator[Log]:
    output = unwritable(folder, how)
    try:
        yield Log(begin=partial(in_a_shell, stderr=output))
    finally:
        os.close(output)


@asynccontextmanager
async def reader_leaves(folder: Path) -> AsyncIterator[Log]:
    reading, path = a_small_pipe(folder, is_full=False)
    begin = partial(in_a_shell, streams=f"2>{shlex.quote(path)}")
    yield Log(begin=begin, on_ready=partial(os.close, reading))


@asynccontextmanager
async def slow_reader(folder: Path) -> AsyncIterator[Log]:
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
        yield Log(begin=partial(in_a_shell, streams=f"2>{shlex.quote(path)}"))
        reader.cancel()
    os.close(reading)


async def asked(stub: Stub, due: dict[str, float]) -> list[Call]:
    """Ask for all mails at an even rate; keep in *due* when each was asked for."""
    begun, calls = time.monotonic(), list[asyncio.Task[Call]]()
    async with asyncio.TaskGroup() as tasks:
        for number in range(MAILS):
            await asyncio.sleep(max(0.0, begun + number * SECONDS / MAILS - time.monotonic()))
            request = a_meet(number, timestamp=int(time.time()))
            due[request.emailID] = time.time()
            calls.append(tasks.create_task(timed(stub, request)))
    return [await each for each in calls]


@asynccontextmanager
async def chatter(target: str, *, per_second: float) -> AsyncIterator[None]:
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


async def loaded(stage: Stage, service: ServiceProcess, *, much: bool) -> Figures:
    """Send the mails; give what callers, the relay and a probe saw."""
    lags, due = await lag(service), dict[str, float]()
    async with looks(service) as took, scheduler(service.target) as stub:
        async with chatter(service.target, per_second=CHATTER) if much else nullcontext():
            calls = await asked(stub, due)
        with suppress(AssertionError):  # `missing` says so
            await until(lambda: stage.arrivals().keys() >= due.keys(), within=30, every=0.2)
    with suppress(AssertionError):  # `states` says so
        await until(lambda: states(stage) == {"SENT": MAILS}, within=10)
    arrived = stage.arrivals()
    late = sorted(times[0] - due[recipient] for recipient, times in arrived.items())
    seconds = sorted(call.seconds for call in calls)
    async with looking_at(service.http) as look:
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
        "loop_lag_max_below_seconds": longest(lags, await lag(service)),
        "lines_dropped": dropped,
    }


async def troubled(folder: Path, trouble: Trouble, *, much: bool = False) -> Figures:
    log_file = folder / "service.log"
    log_file.touch()
    async with a_stage(folder, services=0) as stage, trouble(folder) as log:
        stores = {"mongo": stage.mongo.uri, "redis": stage.valkey.uri}
        settings = environment(**stores, relay_port=stage.relay_port, log_level="DEBUG")
        service = ServiceProcess(
            environment={**settings, **(MUCH_LOGGED if much else {})},
            log_file=log_file,
            port=free_port(),
            begin=log.begin,
        )
        try:
            begun = time.monotonic()
            await service.start()
            ready = time.monotonic() - begun
            log.on_ready()
            seen = await loaded(stage, service, much=much)
            begun = time.monotonic()
            code = await service.stop()
            ended = time.monotonic() - begun
        finally:
            await service.end()
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


HEALTHY = partial(streams, words=TO_THE_FILE)
FULL_DISK = partial(broken, how="full disk")
STANDS_STILL = partial(broken, how="full pipe")
SCENARIOS: Scenarios = {
    "healthy": partial(troubled, trouble=HEALTHY),
    "healthy, much logged": partial(troubled, trouble=HEALTHY, much=True),
    "full disk": partial(troubled, trouble=FULL_DISK),
    "full disk, much logged": partial(troubled, trouble=FULL_DISK, much=True),
    "disk that fills": partial(
        troubled,
        trouble=partial(streams, words=TO_THE_FILE, before=f"ulimit -f {DISK_BLOCKS};"),
    ),
    "pipe without a reader": partial(troubled, trouble=partial(broken, how="no reader")),
    "reader leaves": partial(troubled, trouble=reader_leaves),
    "reader stands still": partial(troubled, trouble=STANDS_STILL),
    "reader stands still, much logged": partial(troubled, trouble=STANDS_STILL, much=True),
    "slow reader": partial(troubled, trouble=slow_reader),
    "slow reader, much logged": partial(troubled, trouble=slow_reader, much=True),
    "descriptor 2 closed": partial(troubled, trouble=partial(streams, words="2>&-")),
    "descriptors 0 to 2 closed": partial(troubled, trouble=partial(streams, words=ALL_CLOSED)),
}


if __name__ == "__main__":
    run_scenarios("tests.measure.log_trouble", __doc__, SCENARIOS)
