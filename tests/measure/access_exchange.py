"""Exchange certificates and tokens under calls: which calls fail that should pass, or pass wrongly.

    python -m tests.measure.access_exchange [--rounds 100] [--json
        docs/measurements/access_exchange.json]

One service knows its callers by tokens, another one by client certificates. Both are called evenly
all the time, half of the calls on connections that stay open, half on new ones. Each round replaces
the servers' certificates, gives each caller a new token or certificate, and takes the old one away.
`problems` lists each call that failed with what was valid, and each that passed after what it used
had been refused once.
"""

import argparse
import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import trustme

from gcsched.cli.commands.serve import find_loop_factory
from gcsched.pb import task_pb2, task_pb2_grpc
from tests.measure.delivery import Figures, a_temporary_folder, run_metadata
from tests.scenarios.cluster import Cluster, a_cluster, quantile
from tests.support.certificates import PairFiles, channel_credentials, write_authority
from tests.support.clients import TestToken, client_toml, make_token, write_clients
from tests.support.ports import free_port
from tests.support.service_process import ServiceProcess, a_meet, environment
from tests.support.wait import until

CALLS_PER_SECOND = 200
TAKEN_WITHIN_SECONDS = 3.0
UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED
Metadata = tuple[tuple[str, str], ...]


@dataclass(kw_only=True)
class Caller:
    """One caller: how it connects now, and what it sends with each call."""

    target: str
    credentials: grpc.ChannelCredentials
    metadata: Metadata = ()
    calls: int = 0
    failures: list[str] = field(default_factory=list)
    channel: grpc.aio.Channel | None = None

    def open(self) -> grpc.aio.Channel:
        options = [("grpc.use_local_subchannel_pool", 1)]
        return grpc.aio.secure_channel(self.target, self.credentials, options=options)

    async def call(self, number: int) -> None:
        """Call on the open connection, or every second time on a new one."""
        self.calls += 1
        metadata = self.metadata
        if number % 2:
            async with self.open() as channel:
                await self._call(channel, number, metadata)
        else:
            if self.channel is None:
                self.channel = self.open()
            await self._call(self.channel, number, metadata)

    async def _call(self, channel: grpc.aio.Channel, number: int, metadata: Metadata) -> None:
        request = a_meet(number, timestamp=int(time.time()) + 86_400)
        try:
            await schedule(channel, request, metadata)
        except grpc.aio.AioRpcError as error:
            self.failures.append(f"{error.code().name}: {error.details()}")


async def schedule(
    channel: grpc.aio.Channel, request: task_pb2.MeetRequest, metadata: Metadata
) -> None:
    await task_pb2_grpc.SchedulerStub(channel).ScheduleMeet(request, metadata=metadata, timeout=10)


@dataclass(kw_only=True)
class Exchange:
    """The files that both services read, and what was seen."""

    authority: trustme.CA
    server: PairFiles
    clients_file: Path
    tokens: list[TestToken]
    identities: list[str]
    seconds_until_valid: list[float] = field(default_factory=list)
    seconds_until_refused: list[float] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def replace_server_certificate(self) -> None:
        self.server.write(self.authority.issue_cert("localhost", "127.0.0.1"))

    def write(self) -> None:
        write_clients(
            self.clients_file,
            client_toml("payroll", ["schedule"], *self.tokens),
            client_toml("people", ["schedule"], lines=[f"identities = {self.identities!r}"]),
        )


async def passes(channel: grpc.aio.Channel, metadata: Metadata, number: int) -> bool:
    try:
        await schedule(channel, a_meet(number, timestamp=int(time.time()) + 86_400), metadata)
    except grpc.aio.AioRpcError as error:
        if error.code() is not UNAUTHENTICATED:
            raise
        return False
    return True


async def wait_until_known(
    exchange: Exchange, caller: Caller, metadata: Metadata, number: int
) -> None:
    """Wait until what is new is valid on a connection of its own."""
    started = time.monotonic()
    async with caller.open() as channel:
        while True:
            if await passes(channel, metadata, number):
                break
            await asyncio.sleep(0.05)
    exchange.seconds_until_valid.append(time.monotonic() - started)


async def wait_until_refused(
    exchange: Exchange, channel: grpc.aio.Channel, metadata: Metadata, number: int
) -> None:
    """Call on an open connection until it is refused, and a few times more: none may pass then."""
    started = time.monotonic()
    while True:
        if not await passes(channel, metadata, number):
            break
        await asyncio.sleep(0.05)
    exchange.seconds_until_refused.append(time.monotonic() - started)
    for _ in range(5):
        if await passes(channel, metadata, number):
            exchange.problems.append(f"round {number}: what was refused passed again")


async def exchange_token(
    exchange: Exchange, caller: Caller, old: TestToken, number: int
) -> TestToken:
    new = make_token()
    async with caller.open() as open_channel:
        if not await passes(open_channel, old.bearer, number):
            exchange.problems.append(f"round {number}: the token before was refused too early")
        exchange.replace_server_certificate()
        exchange.tokens.append(new)
        exchange.write()
        await wait_until_known(exchange, caller, new.bearer, number)
        caller.metadata = new.bearer
        await asyncio.sleep(0.2)  # calls with the old token that are under way end first
        exchange.tokens.remove(old)
        exchange.write()
        await wait_until_refused(exchange, open_channel, old.bearer, number)
    return new


async def exchange_certificate(exchange: Exchange, caller: Caller, number: int) -> None:
    name = f"people-{number}.internal"
    issued = exchange.authority.issue_cert(name)
    newer = Caller(
        target=caller.target, credentials=channel_credentials(exchange.authority, issued)
    )
    async with caller.open() as open_channel:
        if not await passes(open_channel, (), number):
            exchange.problems.append(
                f"round {number}: the certificate before was refused too early"
            )
        exchange.identities.append(f"dns:{name}")
        exchange.write()
        await wait_until_known(exchange, newer, (), number)
        before, caller.channel, caller.credentials = caller.channel, None, newer.credentials
        await asyncio.sleep(0.2)
        if before is not None:
            await before.close(grace=5)
        del exchange.identities[0]
        exchange.write()
        await wait_until_refused(exchange, open_channel, (), number)


@asynccontextmanager
async def calling(callers: list[Caller]) -> AsyncIterator[None]:
    """Call evenly with each of *callers* while the block lasts."""
    stop = asyncio.Event()

    async def run() -> None:
        started, number = time.monotonic(), 0
        async with asyncio.TaskGroup() as calls:
            while not stop.is_set():
                calls.create_task(callers[number // 2 % len(callers)].call(number))
                number += 1
                await asyncio.sleep(
                    max(0.0, started + number / CALLS_PER_SECOND - time.monotonic())
                )

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(run())
        try:
            yield
        finally:
            stop.set()


def start(
    cluster: Cluster, name: str, variables: dict[str, str]
) -> tuple[ServiceProcess, Callable[[], bool]]:
    service = ServiceProcess(
        environment=environment(
            mongo=cluster.mongo.uri, redis=cluster.valkey.uri, relay_port=cluster.relay_port
        )
        | variables,
        log_file=cluster.folder / f"{name}.log",
        port=free_port(),
    )
    service.launch()
    return service, lambda: '"serving"' in service.log


async def measure(folder: Path, rounds: int) -> Figures:
    authority = trustme.CA()
    server = PairFiles(chain=folder / "server.crt", key=folder / "server.key")
    token, first = make_token(), authority.issue_cert("people-0.internal")
    exchange = Exchange(
        authority=authority,
        server=server,
        clients_file=folder / "clients.toml",
        tokens=[token],
        identities=["dns:people-0.internal"],
    )
    exchange.replace_server_certificate()
    exchange.write()
    ca_file = write_authority(folder, authority)
    variables = {
        "GCSCHED_CLIENTS_FILE": str(exchange.clients_file),
        "GCSCHED_GRPC_TLS_CERT_FILE": str(server.chain),
        "GCSCHED_GRPC_TLS_KEY_FILE": str(server.key),
    }
    async with AsyncExitStack() as stack:
        cluster = await stack.enter_async_context(a_cluster(folder, services=0))
        services = [
            start(cluster, "tokens", variables),
            start(
                cluster,
                "certificates",
                variables | {"GCSCHED_GRPC_CLIENT_CA_FILE": str(ca_file)},
            ),
        ]
        for service, is_serving in services:
            stack.push_async_callback(service.kill_if_running)
            await until(is_serving, within=30)
        by_token = Caller(
            target=services[0][0].target,
            credentials=channel_credentials(authority),
            metadata=token.bearer,
        )
        by_certificate = Caller(
            target=services[1][0].target, credentials=channel_credentials(authority, first)
        )
        started = time.monotonic()
        async with calling([by_token, by_certificate]):
            for number in range(1, rounds + 1):
                token = await exchange_token(exchange, by_token, token, number)
                await exchange_certificate(exchange, by_certificate, number)
        seconds = time.monotonic() - started
    return judge(exchange, [by_token, by_certificate], rounds, seconds)


def judge(exchange: Exchange, callers: list[Caller], rounds: int, seconds: float) -> Figures:
    late = [each for each in exchange.seconds_until_refused if each > TAKEN_WITHIN_SECONDS]
    problems = exchange.problems + [f"refused only after {each:.2f} s" for each in late]
    problems += [f"failed: {each}" for caller in callers for each in caller.failures]
    return {
        "exchanges": 2 * rounds,
        "seconds": round(seconds, 1),
        "calls": sum(caller.calls for caller in callers),
        "calls_per_second": round(sum(caller.calls for caller in callers) / seconds, 1),
        "seconds_until_valid": summarize(exchange.seconds_until_valid),
        "seconds_until_refused": summarize(exchange.seconds_until_refused),
        "problems": problems,
    }


def summarize(values: list[float]) -> Figures:
    ordered = sorted(values)
    return {"p50": round(quantile(ordered, 0.5), 3), "most": round(ordered[-1], 3)}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with a_temporary_folder() as folder, asyncio.Runner(loop_factory=find_loop_factory()) as runner:
        seen = {
            "surroundings": run_metadata(),
            **runner.run(measure(folder, options.rounds)),
        }
    print(json.dumps(seen))
    if options.json is not None:
        options.json.write_text(json.dumps(seen, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
