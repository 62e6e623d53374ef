"""Connections that callers only hold leave enough descriptors for calls, mails and probes."""

import resource
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import psutil

from tests.support.half_connections import HALF_GRPC, HALF_HTTP, hold_connections
from tests.support.launch import fork_service
from tests.support.ports import free_port
from tests.support.probes import probe_http
from tests.support.relay.server import Relay
from tests.support.service_process import ServiceProcess, a_meet, environment, scheduler_stub
from tests.support.wait import until

DESCRIPTORS = 256


def limit_descriptors(soft: int, hard: int) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def a_service(folder: Path, settings: dict[str, str], *, soft: int, hard: int) -> ServiceProcess:
    return ServiceProcess(
        environment=settings,
        log_file=folder / "service.log",
        port=free_port(),
        launcher=partial(fork_service, before=partial(limit_descriptors, soft, hard)),
    )


def find_accepted_connections(process: psutil.Process, running: ServiceProcess) -> list[object]:
    """Return the connections of callers and probes that *process* still has."""
    return [
        each
        for each in process.net_connections("tcp")
        if each.laddr.port in {running.port, running.http_port}
        and each.status != psutil.CONN_LISTEN
    ]


async def test_held_connections_prevent_no_call_mail_or_probe(
    tmp_path: Path, mongo_uri: str, redis_url: str
) -> None:
    async with Relay() as relay:
        settings = environment(mongo=mongo_uri, redis=redis_url, relay_port=relay.port)
        running = a_service(tmp_path, settings, soft=DESCRIPTORS, hard=DESCRIPTORS)
        try:
            await running.start()
            process = psutil.Process(running.pid)
            async with scheduler_stub(running.target) as stub, AsyncExitStack() as stack:
                await stub.ScheduleMeet(a_meet(0), timeout=5)
                hold = stack.enter_async_context
                http = await hold(hold_connections(running.http_port, HALF_HTTP, each=60))
                grpc = await hold(hold_connections(running.port, HALF_GRPC, each=100))
                await until(lambda: http.is_settled and grpc.is_settled)
                await until(lambda: http.open + grpc.open <= DESCRIPTORS)
                assert grpc.open > 0
                assert find_accepted_connections(process, running)
                most = process.num_fds()
                for number in range(1, 20):
                    assert (await stub.ScheduleMeet(a_meet(number), timeout=5)).success
                async with probe_http(running.http) as probe:
                    alive = await probe.request("/livez")
                await until(lambda: len(relay.ledger) == 20)
            # Not the number of all descriptors: calls and mails may have opened some to the stores.
            await until(lambda: not find_accepted_connections(process, running))
            assert await running.stop() == 0
        finally:
            await running.kill_if_running()

    assert alive == (200, "ok\n")
    assert most < DESCRIPTORS
    assert "few file descriptors" in running.log


async def test_the_soft_limit_is_raised_to_the_hard_one(
    tmp_path: Path, mongo_uri: str, redis_url: str
) -> None:
    settings = environment(mongo=mongo_uri, redis=redis_url, relay_port=9)
    running = a_service(tmp_path, settings, soft=200, hard=4000)
    try:
        await running.start()
        found = resource.prlimit(running.pid, resource.RLIMIT_NOFILE)
    finally:
        await running.kill_if_running()

    assert found == (4000, 4000)
    assert "few file descriptors" not in running.log
