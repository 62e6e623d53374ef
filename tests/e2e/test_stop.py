"""Stops at any moment: before the program is loaded, as process 1, and while MongoDB is away."""

import asyncio
import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import time
from functools import cache, partial
from pathlib import Path

import pytest

from tests.support.ports import free_port
from tests.support.relay.server import Relay
from tests.support.service_process import ServiceProcess, a_meet, environment, scheduler_stub
from tests.support.stores import own_mongod, own_valkey
from tests.support.wait import until

SCRIPT = Path(sysconfig.get_path("scripts")) / "gcsched"
PROGRAMS = {
    "module": [sys.executable, "-m", "gcsched", "serve"],
    "script": [str(SCRIPT), "serve"],
    "dev": [sys.executable, "-m", "gcsched", "dev"],
}
DELAYS_SECONDS = [0.0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0]
"""Seconds after the first signal handler is set: during the imports, and in the service."""


def status_of(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def has_handler(pid: int, number: signal.Signals) -> bool:
    """Return whether the process has a handler for signal *number*."""
    return bool(int(status_of(pid)["SigCgt"], 16) >> (number - 1) & 1)


@cache
def own_namespace() -> list[str]:
    """Return the command that makes a program process 1 of its own namespace; [] if it fails."""
    if (unshare := shutil.which("unshare")) is None:
        return []
    command = [unshare, "--fork", "--pid", "--kill-child"]
    return command if subprocess.run([*command, "true"], check=False).returncode == 0 else []


def ignoring_signals() -> list[str]:
    """Return a command whose program loses signals until it has a handler, as process 1 does.

    Ignored signals stay ignored in an executed program.
    """
    return ["/bin/sh", "-c", "trap '' TERM INT; exec \"$@\"", "sh"]


def find_child(pid: int) -> int:
    """Return the child of *pid*, 0 while it has none."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()
    return int(children[0]) if children else 0


def is_gcsched(pid: int) -> bool:
    return "gcsched" in Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8")


def is_past(moment: float) -> bool:
    return time.monotonic() >= moment


def has_ended(process: subprocess.Popen[bytes]) -> bool:
    return process.poll() is not None


def launch_program(program: list[str], folder: Path) -> subprocess.Popen[bytes]:
    """Start *program* with stores that are away, so that it stays in its start."""
    settings = environment(
        mongo=f"mongodb://127.0.0.1:{free_port()}/x?replicaSet=rs0",
        redis=f"redis://127.0.0.1:{free_port()}/0",
        relay_port=9,
        grpc_listen=f"127.0.0.1:{free_port()}",
        http_listen=f"127.0.0.1:{free_port()}",
    )
    settings |= {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "PATH": os.environ["PATH"]}
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(
            program, env=settings, stdout=log, stderr=log, start_new_session=True
        )


async def wait_for_handler(process: subprocess.Popen[bytes], program: list[str]) -> int:
    """Wait until the program of *process* has a handler for SIGTERM; return its process id."""
    pid = process.pid
    if program[0] in own_namespace()[:1]:
        pid = await until(partial(find_child, process.pid), every=0.001)
        await until(partial(is_gcsched, pid), every=0.001)
        assert status_of(pid)["NSpid"].split()[-1] == "1"
    # Python itself handles SIGINT from the start; gcsched sets its handler before SIGTERM's.
    await until(partial(has_handler, pid, signal.SIGTERM), every=0.001)
    return pid


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda each: each.name)
@pytest.mark.parametrize("how", ["process 1", "emulated"])
@pytest.mark.parametrize("name", PROGRAMS)
async def test_a_signal_in_the_first_second_stops_it(
    name: str, how: str, number: signal.Signals, tmp_path: Path
) -> None:
    if how == "process 1" and not own_namespace():
        pytest.skip("process namespaces are not available; the emulated run covers it")
    program = [*(own_namespace() if how == "process 1" else ignoring_signals()), *PROGRAMS[name]]
    is_checked_twice = how == "emulated" and bool(own_namespace())
    for delay in DELAYS_SECONDS[:: 2 if is_checked_twice else 1]:
        process = launch_program(program, tmp_path)
        try:
            pid = await wait_for_handler(process, program)
            await until(partial(is_past, time.monotonic() + delay), every=max(0.001, delay / 50))
            os.kill(pid, number)

            await until(partial(has_ended, process), within=20)
        finally:
            process.kill()
            process.wait()

        log = (tmp_path / "log").read_text(encoding="utf-8")
        assert process.returncode == 0, (delay, log)
        assert "Traceback" not in log
        assert "Exception" not in log


async def test_a_command_that_is_process_1_ends_at_sigterm(tmp_path: Path) -> None:
    if not own_namespace():
        pytest.skip("process namespaces are not available")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        target = f"127.0.0.1:{silent.getsockname()[1]}"
        command = ["status", "--target", target, "--timeout", "60"]
        program = [*own_namespace(), sys.executable, "-m", "gcsched", *command]
        process = launch_program(program, tmp_path)
        try:
            os.kill(await wait_for_handler(process, program), signal.SIGTERM)

            await until(partial(has_ended, process), within=20)
        finally:
            process.kill()
            process.wait()

    assert process.returncode == 128 + signal.SIGTERM


async def stop_while_mongodb_is_away(how: str, folder: Path) -> tuple[int, str]:
    """Stop a service while MongoDB is away; return the exit code and the log.

    A claim, a sweep and calls are under way, and the callers hang up at the same time.
    """
    async with (
        Relay() as relay,
        own_mongod(folder) as mongod,
        own_valkey(folder) as valkey,
    ):
        running = ServiceProcess(
            environment=environment(mongo=mongod.uri, redis=valkey.uri, relay_port=relay.port),
            log_file=folder / "service.log",
            port=free_port(),
        )
        try:
            await running.start()
            async with scheduler_stub(running.target) as stub:
                due = int(time.time()) + 2
                await stub.ScheduleMeet(a_meet(1, timestamp=due), timeout=5)
                (mongod.freeze if how == "frozen" else mongod.kill)()
                calls = [stub.ScheduleMeet(a_meet(number), timeout=10) for number in range(2, 8)]
                # Nothing in the log shows when the claim of the due job starts.
                await until(lambda: time.time() > due + 0.5)

                code = await running.stop(within=60)

                for call in calls:
                    call.cancel()
        finally:
            await running.kill_if_running()
    return code, running.log


async def test_a_stop_while_mongodb_is_away_logs_no_error(tmp_path: Path) -> None:
    """Both cases run at the same time, because each spends nearly all of it waiting."""
    folders = {how: tmp_path / how for how in ("frozen", "killed")}
    for folder in folders.values():
        folder.mkdir()

    ends = await asyncio.gather(*itertools.starmap(stop_while_mongodb_is_away, folders.items()))

    for how, (code, log) in zip(folders, ends, strict=True):
        assert code == 0, how
        by_level = {event["level"]: event for event in map(json.loads, log.splitlines())}
        assert not {"error", "critical"} & by_level.keys(), (how, by_level)
