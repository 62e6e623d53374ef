"""A bench: stores as an installation has them, a cheap relay, and services on a core of their own.

All services run on the first core, everything else on the others, so that the CPU time of a
service does not depend on what the stores do meanwhile. Every child ends with this process.
"""

import os
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from gcsched.dev.stores.children import ChildProcess, is_listening
from gcsched.dev.stores.mongod import Mongod, MongodOptions
from gcsched.dev.stores.valkey import Valkey, ValkeyOptions
from tests.support.launch import COMMAND, Child, Launch
from tests.support.ports import free_port
from tests.support.service_process import ServiceProcess, environment
from tests.support.stores import run_disposable
from tests.support.wait import until

SETTLED_SHARE = 0.05  # of a core: mongod's own tasks use less when nothing is left to do
MAX_WARNINGS = 20  # the rest would repeat them
ALL_CORES = sorted(os.sched_getaffinity(0))  # before this process restricts itself
Cores = frozenset[int]


def make_mongod(folder: Path, cache_gb: float) -> Mongod:
    """Return a mongod with the cache and the log files of an installation."""
    size_flags = ("--oplogSize", "512", "--wiredTigerCacheSizeGB", f"{cache_gb:g}")
    return Mongod(folder, MongodOptions(port=free_port(), size_flags=size_flags))


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """The stores, the relay and its ledger, and the services that run now."""

    folder: Path
    mongo: Mongod
    valkey: Valkey
    relay: ChildProcess
    relay_port: int
    is_pinned: bool
    services: list[ServiceProcess] = field(default_factory=list)

    @property
    def ledger(self) -> Path:
        return self.folder / "ledger"

    def pids(self) -> Mapping[str, Sequence[int]]:
        """Return the processes whose CPU time is measured, by their part."""
        return {
            "gcsched": [each.pid for each in self.services],
            "mongod": [self.mongo.pid],
            "valkey": [self.valkey.child.pid],
            "relay": [self.relay.pid],
        }

    def cpu_seconds(self) -> dict[str, float]:
        """Return the CPU time that each part has used; the kernel counts in steps of 10 ms."""
        return {name: sum(map(cpu_time_of, pids)) for name, pids in self.pids().items()}

    def rss_mb(self) -> list[float]:
        """Return the resident memory of each service."""
        return [
            round(psutil.Process(each.pid).memory_info().rss / 1e6, 1) for each in self.services
        ]

    def pin(self) -> None:
        """Restrict the services to their core, and everything else to the others."""
        if self.is_pinned:
            service_cores, other_cores = split_cores()
            for name, pids in self.pids().items():
                for pid in pids:
                    set_cores(pid, service_cores if name == "gcsched" else other_cores)
            set_cores(os.getpid(), other_cores)

    async def settle(self, within: float = 180) -> None:
        """Wait until mongod has nothing left to do, such as writing out what was just inserted."""
        process = psutil.Process(self.mongo.pid)
        process.cpu_percent()
        await until(lambda: process.cpu_percent() < 100 * SETTLED_SHARE, within=within, every=2.0)


def cpu_time_of(pid: int) -> float:
    used = psutil.Process(pid).cpu_times()
    return float(used.user + used.system)


def split_cores() -> tuple[Cores, Cores]:
    """Return the core of the services, and those of everything else."""
    first, *others = ALL_CORES
    return frozenset({first}), frozenset(others or [first])


def set_cores(pid: int, cores: Cores) -> None:
    """Restrict every thread of *pid*, and those that they start, to *cores*."""
    for thread in psutil.Process(pid).threads():
        os.sched_setaffinity(thread.id, cores)


def launch_service(
    variables: Mapping[str, str], log_file: Path, command: Sequence[str] = COMMAND
) -> Child:
    """Start a service that ends with this process."""
    child = ChildProcess(
        name=log_file.stem,
        command=[sys.executable, *command],
        log=log_file,
        environment=variables,
    )
    child.launch()
    assert child.process is not None
    return child.process


def print_warnings(service: ServiceProcess) -> None:
    """Print what a service logged: a measurement of one in trouble must not look like another."""
    for line in service.log.splitlines()[:MAX_WARNINGS]:
        print(f"{service.log_file.stem}: {line}", file=sys.stderr)


@contextmanager
def run_relay(folder: Path, port: int, reply_delay: float) -> Iterator[ChildProcess]:
    arguments = [str(port), str(folder / "ledger"), "--reply-delay", str(reply_delay)]
    relay = ChildProcess(
        name="sink",
        command=[sys.executable, "-m", "gcsched.bench.sink", *arguments],
        log=folder / "sink.log",
    )
    try:
        relay.launch()
        relay.wait_for(lambda: is_listening(port))
        yield relay
    finally:
        relay.kill()


@contextmanager
def run_bench(
    folder: Path, *, reply_delay: float = 0.0, cache_gb: float = 1.0, is_pinned: bool = True
) -> Iterator[Bench]:
    """Run stores and relay for a block, without a service."""
    port = free_port()
    valkey = Valkey(folder / "valkey", ValkeyOptions(port=free_port()))
    with ExitStack() as stack:
        yield Bench(
            folder=folder,
            mongo=stack.enter_context(run_disposable(make_mongod(folder / "mongod", cache_gb))),
            valkey=stack.enter_context(run_disposable(valkey)),
            relay=stack.enter_context(run_relay(folder, port, reply_delay)),
            relay_port=port,
            is_pinned=is_pinned,
        )


@asynccontextmanager
async def run_services(
    bench: Bench, count: int = 1, *, launcher: Launch = launch_service, **settings: str
) -> AsyncIterator[float]:
    """Run *count* services for a block; yield the seconds until all of them were ready."""
    stores = {"mongo": bench.mongo.uri, "redis": bench.valkey.url}
    chosen = {"log_level": "WARNING", **settings}
    variables = environment(**stores, relay_port=bench.relay_port, **chosen)
    started = time.monotonic()
    async with AsyncExitStack() as stack:
        for number in range(count):
            service = ServiceProcess(
                environment=variables,
                log_file=bench.folder / f"service-{number}.log",
                port=free_port(),
                launcher=launcher,
            )
            stack.callback(print_warnings, service)
            stack.push_async_callback(service.kill_if_running)
            service.launch()
            bench.services.append(service)
            stack.callback(bench.services.remove, service)
        for service in bench.services:
            await service.wait_ready()
        took = time.monotonic() - started
        bench.pin()
        yield took
