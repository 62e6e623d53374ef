"""A log that cannot be written prevents no start, call, mail or stop."""

import asyncio
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.support.forks import Fork, Streams
from tests.support.launch import Launch, fork_service
from tests.support.ports import free_port
from tests.support.probes import probe_http
from tests.support.relay.server import Relay
from tests.support.service_process import ServiceProcess, a_meet, environment, scheduler_stub
from tests.support.unwritable_logs import (
    ALL_CLOSED,
    VERBOSE_GRPC,
    a_small_pipe,
    execute_in_shell,
    limit_log_size,
    open_unwritable,
    redirect_stderr,
)
from tests.support.wait import until

MAILS = 30
EXIT_WITHIN_SECONDS = 60  # imports take two seconds of CPU time, and the machine may be busy


def a_service(folder: Path, settings: dict[str, str], before: Callable[[], None]) -> ServiceProcess:
    launcher: Launch = partial(fork_service, before=before)
    log = folder / "service.log"
    return ServiceProcess(environment=settings, log_file=log, port=free_port(), launcher=launcher)


async def send_mails(running: ServiceProcess, relay: Relay) -> float:
    """Send mails and wait until the relay has them; return the longest call in seconds."""
    longest = 0.0
    async with scheduler_stub(running.target) as stub:
        for number in range(MAILS):
            called = time.monotonic()
            assert (await stub.ScheduleMeet(a_meet(number), timeout=5)).success
            longest = max(longest, time.monotonic() - called)
    await until(lambda: len(relay.ledger) == MAILS)
    return longest


@pytest.mark.parametrize("how", ["full disk", "closed", "no reader", "full pipe", "slow pipe"])
async def test_an_unwritable_log_delays_no_start_call_or_stop(
    how: str, tmp_path: Path, mongo_uri: str, redis_url: str
) -> None:
    reading = -1
    if how in {"no reader", "full pipe", "slow pipe"}:
        reading, path = a_small_pipe(tmp_path, is_full=how == "full pipe")
        before = partial(redirect_stderr, path)
    else:
        before = partial(os.close, 2) if how == "closed" else partial(redirect_stderr, "/dev/full")
    async with Relay() as relay:
        settings = environment(
            mongo=mongo_uri, redis=redis_url, relay_port=relay.port, log_level="DEBUG"
        )
        running = a_service(tmp_path, settings, before)
        try:
            await running.start()
            if how == "no reader":
                os.close(reading)
            longest = await send_mails(running, relay)
            async with probe_http(running.http) as probe:
                scrape = await probe.scrape()
            started = time.monotonic()
            code = await running.stop()
        finally:
            await running.kill_if_running()

    assert code == 0
    assert longest < 2
    assert time.monotonic() - started < 6
    assert scrape.value("gcsched_log_lines_dropped_total") == 0, (
        "the queue has room for thousands of lines"
    )


async def test_on_a_disk_that_fills_and_has_room_again_no_line_is_torn(
    tmp_path: Path, mongo_uri: str, redis_url: str
) -> None:
    log = tmp_path / "kept.log"
    log.touch()
    async with Relay() as relay:
        settings = environment(mongo=mongo_uri, redis=redis_url, relay_port=relay.port)
        running = a_service(tmp_path, settings, partial(limit_log_size, str(log), 1500))
        try:
            await running.start()
            await send_mails(running, relay)
            await until(lambda: log.stat().st_size == 1500)

            resource.prlimit(running.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
            await until(lambda: log.read_text().count('"job sent"') == MAILS)
            code = await running.stop()
        finally:
            await running.kill_if_running()

    assert code == 0
    events = [json.loads(line)["event"] for line in log.read_text().splitlines()]
    assert events[0] == "serving"
    assert events[-1] == "stopped"


@pytest.mark.executed
async def test_with_closed_descriptors_log_lines_of_c_libraries_reach_no_socket(
    tmp_path: Path, mongo_uri: str, redis_url: str
) -> None:
    """Otherwise the first sockets get descriptors 0 to 2, and what is written to the log."""
    async with Relay() as relay:
        settings = environment(mongo=mongo_uri, redis=redis_url, relay_port=relay.port)
        running = ServiceProcess(
            environment=settings,
            log_file=tmp_path / "none",
            port=free_port(),
            launcher=partial(execute_in_shell, streams=ALL_CLOSED),
        )
        try:
            await running.start()
            await send_mails(running, relay)
            opened = Path(f"/proc/{running.pid}/fd")
            found = {str((opened / number).readlink()) for number in "01"}
            code = await running.stop()
        finally:
            await running.kill_if_running()

    assert code == 0
    assert found == {os.devnull}


@pytest.mark.executed
@pytest.mark.parametrize("how", ["full disk", "no reader", "full pipe"])
async def test_what_grpc_writes_during_the_stop_does_not_delay_it(
    how: str, tmp_path: Path, mongo_uri: str, redis_url: str
) -> None:
    """gRPC's threads write until the process is gone, long after the service's log is closed."""
    output = open_unwritable(tmp_path, how)
    async with Relay() as relay:
        settings = environment(mongo=mongo_uri, redis=redis_url, relay_port=relay.port)
        running = ServiceProcess(
            environment={**settings, **VERBOSE_GRPC},
            log_file=tmp_path / "none",
            port=free_port(),
            launcher=partial(execute_in_shell, stderr=output),
        )
        try:
            await running.start()
            await send_mails(running, relay)
            code = await running.stop(within=6)
        finally:
            await running.kill_if_running()
            os.close(output)

    assert code == 0


@pytest.mark.parametrize("how", ["full disk", "no reader", "full pipe"])
async def test_wrong_settings_keep_their_exit_code(how: str, tmp_path: Path) -> None:
    errors = open_unwritable(tmp_path, how)
    with (tmp_path / "output").open("w+b") as output:
        streams = Streams(output=output.fileno(), errors=errors)
        process = Fork(["serve"], {"PATH": os.environ["PATH"]}, streams)
        try:
            code = await asyncio.to_thread(process.wait, EXIT_WITHIN_SECONDS)
        finally:
            process.kill()
            os.close(errors)
        output.seek(0)
        out = output.read()

    assert code == 2
    assert out == b"", "the message went to standard output instead of standard error"


async def test_wrong_settings_keep_their_exit_code_without_standard_error() -> None:
    process = await asyncio.create_subprocess_shell(
        f'exec "{sys.executable}" -m gcsched serve 2>&-',
        env={"PATH": os.environ["PATH"]},
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        out, _ = await asyncio.wait_for(process.communicate(), EXIT_WITHIN_SECONDS)
    finally:
        if process.returncode is None:
            process.kill()

    assert process.returncode == 2
    assert out == b"", "the message went to standard output instead of standard error"
