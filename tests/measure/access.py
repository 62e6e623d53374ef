"""Measure what access control costs: the CPU time of an empty call, allowed and refused.

    python -m tests.measure.access [--calls 4000] [--rounds 7] [--json FILE]

One process serves the contract on two ports, one with access control and one without; its handlers
do nothing. Each round calls it in every way, one after the other, on one connection for each port.
The unit is microseconds of the server's CPU time per call, its median over the rounds.
"""

import argparse
import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from time import process_time_ns
from types import SimpleNamespace
from typing import Any

import grpc

from gcsched.pb import task_pb2, task_pb2_grpc
from gcsched.rpc.access_gate import AccessGate
from gcsched.rpc.server import RpcServer, ServerLimits, serve_grpc
from gcsched.rpc.servicer import SchedulerServicer
from gcsched.usecases.access.access_control import AccessControl
from gcsched.web.metrics import Metrics
from tests.support.clients import TestToken, client_toml
from tests.support.handlers import handlers_of
from tests.support.program_versions import current_version
from tests.support.registry import registry_of
from tests.support.service_process import Stub

CONCURRENT = 20
EXPIRES = ("expires = 2999-01-01T00:00:00Z",)
KNOWN = TestToken(id="known000", secret="k" * 43, lines=EXPIRES)
UNKNOWN = TestToken(id="unknown0", secret="u" * 43)
READER = TestToken(id="reader00", secret="r" * 43, lines=EXPIRES)
SERVE = "serve"
REFUSALS = {grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED}
Calls = Mapping[str, tuple[str, tuple[tuple[str, str], ...]]]
WAYS: Calls = {
    "open": ("open", ()),
    "open, with a token": ("open", KNOWN.bearer),
    "allowed": ("controlled", KNOWN.bearer),
    "refused: no token": ("controlled", ()),
    "refused: unknown token": ("controlled", UNKNOWN.bearer),
    "refused: scope missing": ("controlled", READER.bearer),
}
"""Each way to call, with its port and its metadata."""


async def list_nothing(*_: object) -> task_pb2.ListTemplatesResponse:
    return task_pb2.ListTemplatesResponse()


async def report_cpu(*_: object) -> task_pb2.StatusReport:
    return task_pb2.StatusReport(version=str(process_time_ns()))


HANDLERS = SimpleNamespace(ListTemplates=list_nothing, GetStatus=report_cpu)
"""An empty call, and one that returns the CPU time of the process."""


def build_gate(metrics: Metrics) -> AccessGate:
    clients = [client_toml("known", ["schedule"], KNOWN), client_toml("reader", ["read"], READER)]
    # As many clients as a large installation has.
    clients += [client_toml(f"other{number}", ["read"]) for number in range(100)]
    access = AccessControl(registry=registry_of(*clients), now=lambda: datetime.now(UTC))
    return AccessGate(access, on_call=metrics.on_call)


def open_server(
    gate: AccessGate | None, metrics: Metrics
) -> AbstractAsyncContextManager[RpcServer]:
    servicer = SchedulerServicer(handlers_of(HANDLERS))
    limits, anywhere = ServerLimits(gate=gate), "127.0.0.1:0"
    return serve_grpc(servicer, listen=anywhere, on_call=metrics.on_call, limits=limits)


async def serve() -> None:
    """Serve both ports until standard input ends."""
    metrics = Metrics(version="1", relays=())
    gate = build_gate(metrics)
    async with open_server(None, metrics) as first, open_server(gate, metrics) as second:
        print(json.dumps({"open": first.port, "controlled": second.port}), flush=True)
        await asyncio.to_thread(sys.stdin.read)


@asynccontextmanager
async def running_server() -> AsyncIterator[Mapping[str, Stub]]:
    """Yield a stub for each port of a server on a core of its own."""
    cores = sorted(os.sched_getaffinity(0))
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.measure.access", SERVE),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert child.stdin is not None
    assert child.stdout is not None
    os.sched_setaffinity(child.pid, cores[:1])
    os.sched_setaffinity(0, cores[1:] or cores)
    ports = json.loads(await child.stdout.readline())
    channels = {
        name: grpc.aio.insecure_channel(f"127.0.0.1:{port}") for name, port in ports.items()
    }
    try:
        yield {name: task_pb2_grpc.SchedulerStub(each) for name, each in channels.items()}
    finally:
        for each in channels.values():
            await each.close()
        child.stdin.close()
        await child.wait()


async def call_many(stub: Any, metadata: tuple[tuple[str, str], ...], calls: int) -> None:
    """Call as often as *calls* says, CONCURRENT calls at a time."""
    request = task_pb2.ListTemplatesRequest()

    async def call_in_turn() -> None:
        for _ in range(calls // CONCURRENT):
            try:
                await stub.ListTemplates(request, metadata=metadata)
            except grpc.aio.AioRpcError as error:
                if error.code() not in REFUSALS:
                    raise

    await asyncio.gather(*[call_in_turn() for _ in range(CONCURRENT)])


async def read_cpu(stubs: Mapping[str, Any]) -> int:
    return int((await stubs["open"].GetStatus(task_pb2.GetStatusRequest())).version)


async def measure(calls: int, rounds: int) -> Mapping[str, Any]:
    found: dict[str, list[float]] = {way: [] for way in WAYS}
    async with running_server() as stubs:
        for number in range(rounds + 1):  # the first round warms up
            order = list(WAYS)[number % len(WAYS) :] + list(WAYS)[: number % len(WAYS)]
            for way in order:
                port, metadata = WAYS[way]
                before = await read_cpu(stubs)
                await call_many(stubs[port], metadata, calls)
                used = (await read_cpu(stubs) - before) / calls / 1000
                if number:
                    found[way].append(round(used, 1))
    medians = {way: round(median(each), 1) for way, each in found.items()}
    # Rounds are compared with themselves: the machine changes from one to the next.
    ratios = {
        way: round(median(one / free for one, free in zip(each, found["open"], strict=True)), 3)
        for way, each in found.items()
    }
    return {"cpu_us_per_call": medians, "ratio_to_open": ratios, "rounds": found}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("mode", nargs="?", choices=[SERVE])
    parser.add_argument("--calls", type=int, default=4_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    if chosen.mode == SERVE:
        asyncio.run(serve())
        return 0
    figures = asyncio.run(measure(chosen.calls, chosen.rounds))
    surroundings = {
        "commit": asyncio.run(current_version()).commit,
        "python": sys.version.split()[0],
        "grpcio": grpc.__version__,
        "calls": chosen.calls,
        "rounds": chosen.rounds,
    }
    text = json.dumps({"surroundings": surroundings, **figures}, indent=2)
    if chosen.json is not None:
        chosen.json.write_text(f"{text}\n", encoding="utf-8")
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
