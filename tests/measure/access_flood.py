"""Measure what strangers do to a service with TLS and tokens, and to the clients beside them.

    python -m tests.measure.access_flood [--seconds 60] [--json docs/measurements/access_flood.json]

In turn: half-open handshakes, huge and random metadata, wrong methods, truncated messages, unknown
tokens, and calls without any. Beside each a client with a token calls evenly; its times are those
of the calls that came back OK. `alone` is that client without any stranger.
"""

import argparse
import asyncio
import json
import sys
import time
from collections import Counter
from pathlib import Path

import grpc
import trustme
from psutil import Process

from gcsched.cli.commands.serve import find_loop_factory
from gcsched.pb import task_pb2_grpc
from tests.measure.delivery import Figures, a_temporary_folder, run_metadata
from tests.scenarios.cluster import a_cluster, quantile
from tests.support.certificates import PairFiles, channel_credentials, write_authority
from tests.support.clients import client_toml, make_token, write_clients
from tests.support.ports import free_port
from tests.support.service_process import ServiceProcess, Stub, a_meet, environment
from tests.support.wait import until

CALLS_PER_SECOND = 50
STRANGERS = (
    ("half_handshakes", 1_000),
    ("odd_metadata", 1_000),
    ("wrong_method", 1_000),
    ("truncated_message", 1_000),
    ("unknown_token", 1_000),
    ("refused_call", 2_000),
    ("refused_call", 10_000),
)


class HonestClient:
    """A client that calls evenly for a given time."""

    def __init__(self, stub: Stub, metadata: tuple[tuple[str, str], ...]) -> None:
        self._stub = stub
        self._metadata = metadata
        self._number = 0

    async def call_for(self, seconds: float) -> Figures:
        codes, took, started = Counter[str](), list[float](), time.monotonic()
        first = self._number
        async with asyncio.TaskGroup() as calls:
            while (elapsed := time.monotonic() - started) < seconds:
                if self._number - first <= elapsed * CALLS_PER_SECOND:
                    calls.create_task(self._call(codes, took))
                    self._number += 1
                else:
                    await asyncio.sleep(0.005)
        ordered = sorted(took)
        return {
            "codes": dict(codes),
            "p50_ms": round(quantile(ordered, 0.5) * 1_000, 1),
            "p99_ms": round(quantile(ordered, 0.99) * 1_000, 1),
        }

    async def _call(self, codes: Counter[str], took: list[float]) -> None:
        started = time.perf_counter()
        request = a_meet(self._number, timestamp=int(time.time()) + 86_400)
        try:
            await self._stub.ScheduleMeet(request, metadata=self._metadata, timeout=20)
        except grpc.aio.AioRpcError as error:
            codes[error.code().name] += 1
            return
        codes["OK"] += 1
        took.append(time.perf_counter() - started)


async def run_strangers(
    kind: str, service: ServiceProcess, ca_file: Path, *, seconds: float, per_second: float
) -> Figures:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.scenarios.strangers", kind, service.target, str(ca_file)),
        *("--seconds", str(seconds), "--per-second", str(per_second)),
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    return dict(json.loads(output))


async def measure_one(
    client: HonestClient,
    service: ServiceProcess,
    ca_file: Path,
    stranger: tuple[str, float],
    seconds: float,
) -> Figures:
    kind, per_second = stranger
    process = Process(service.pid)
    before = process.cpu_times()
    flood = asyncio.create_task(
        run_strangers(kind, service, ca_file, seconds=seconds + 1, per_second=per_second)
    )
    await asyncio.sleep(1)
    seen = await client.call_for(seconds)
    strangers, after = await flood, process.cpu_times()
    cpu = after.user + after.system - before.user - before.system
    return {
        "strangers": strangers,
        "client": seen,
        "service_cpu_seconds": round(cpu, 2),
        "rss_mb": round(process.memory_info().rss / 2**20, 1),
    }


async def measure(folder: Path, seconds: float) -> Figures:
    authority, token = trustme.CA(), make_token()
    files = PairFiles(chain=folder / "server.crt", key=folder / "server.key")
    files.write(authority.issue_cert("localhost", "127.0.0.1"))
    ca_file = write_authority(folder, authority)
    clients = write_clients(folder / "clients.toml", client_toml("payroll", ["schedule"], token))
    async with a_cluster(folder, services=0) as cluster:
        service = ServiceProcess(
            environment={
                **environment(
                    mongo=cluster.mongo.uri,
                    redis=cluster.valkey.uri,
                    relay_port=cluster.relay_port,
                ),
                "GCSCHED_CLIENTS_FILE": str(clients),
                "GCSCHED_GRPC_TLS_CERT_FILE": str(files.chain),
                "GCSCHED_GRPC_TLS_KEY_FILE": str(files.key),
            },
            log_file=folder / "service.log",
            port=free_port(),
        )
        service.launch()
        try:
            await until(lambda: '"serving"' in service.log, within=30)
            credentials = channel_credentials(authority)
            async with grpc.aio.secure_channel(service.target, credentials) as channel:
                client = HonestClient(task_pb2_grpc.SchedulerStub(channel), token.bearer)
                await client.call_for(3)  # warm
                rss = round(Process(service.pid).memory_info().rss / 2**20, 1)
                seen: Figures = {"alone": await client.call_for(seconds / 3), "rss_mb": rss}
                for stranger in STRANGERS:
                    name = f"{stranger[0]} {stranger[1]:,}"
                    length = seconds if stranger[1] >= 10_000 else seconds / 3
                    seen[name] = await measure_one(client, service, ca_file, stranger, length)
                seen["alone_afterwards"] = await client.call_for(seconds / 3)
                seen["log_octets"] = service.log_file.stat().st_size
                return seen
        finally:
            await service.kill_if_running()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with a_temporary_folder() as folder, asyncio.Runner(loop_factory=find_loop_factory()) as runner:
        seen = {"surroundings": run_metadata(), **runner.run(measure(folder, options.seconds))}
    print(json.dumps(seen))
    if options.json is not None:
        options.json.write_text(json.dumps(seen, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
