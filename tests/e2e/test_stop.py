"""A stop at any moment: before the program is loaded, as process 1, and while MongoDB is away."""

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
"""Seconds after the first handler, over the imports and into the service."""


def status_of(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def has_handler(pid: int, number: signal.Signals) -> bool:
    """Return whether the kernel would hand *number* to a handler of the process."""
    return bool(int(status_of(pid)["SigCgt"], 16) >> (number - 1) & 1)


@cache
def own_namespace() -> list[str]:
    """Give what makes a program process 1 of a namespace of its own; nothing where that fails."""
    if (unshare := shutil.which("unshare")) is None:
        return []
    command = [unshare, "--fork", "--pid", "--kill-child"]
    return command if subprocess.run([*command, "true"], check=False).returncode == 0 else []


def ignoring_signals() -> list[str]:
    """Give what lets a program lose signals until it has a handler, as process 1 does.

    A signal that is ignored stays so in what is executed.
    """
    return ["/bin/sh", "-c", "trap '' TERM INT; exec \"$@\"", "sh"]


def child_of(pid: int) -> int:
    """Give the process that *pid* has begun, 0 before it has."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()
    return int(children[0]) if children else 0


def is_gcsched(pid: int) -> bool:
    return "gcsched" in Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8")


def is_past(moment: float) -> bool:
    return time.monotonic() >= moment


def has_ended(process: subprocess.Popen[bytes]) -> bool:
    return process.poll() is not None


def launch_program(program: list[str], folder: Path) -> subprocess.Popen[bytes]:
    """Start *program* on stores that are away, so that a signal without a handler is lost."""
    given = environment(
        mongo=f"mongodb://127.0.0.1:{free_port()}/x?replicaSet=rs0",
        redis=f"redis://127.0.0.1:{free_port()}/0",
        relay_port=9,
        grpc_listen=f"127.0.0.1:{free_port()}",
        http_listen=f"127.0.0.1:{free_port()}",
    )
    given |= {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "PATH": os.environ["PATH"]}
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(program, env=given, stdout=log, stderr=log, start_new_session=True)


async def wait_for_handler(process: subprocess.Popen[bytes], program: list[str]) -> int:
    """Wait until the program of *process* has a handler for SIGTERM; give whom to signal."""
    pid = process.pid
    if program[0] in own_namespace()[:1]:
        pid = await until(partial(child_of, process.pid), every=0.001)
        await until(partial(is_gcsched, pid), every=0.001)
        assert status_of(pid)["NSpid"].split()[-1] == "1"
    # Python has a handler for SIGINT from the beginning; ours for it comes before that for SIGTERM.
    await until(partial(has_handler, pid, signal.SIGTERM), every=0.001)
    return pid


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda each: each.name)
@pytest.mark.parametrize("how", ["process 1", "emulated"])
@pytest.mark.parametrize("name", PROGRAMS)
async def test_a_stop_in_the_first_second_is_obeyed(
    name: str, how: str, number: signal.Signals, tmp_path: Path
) -> None:
    if how == "process 1" and not own_namespace():
        pytest.skip("no process namespaces here; the emulated run stands for it")
    program = [*(own_namespace() if how == "process 1" else ignoring_signals()), *PROGRAMS[name]]
    for moment in DELAYS_SECONDS:
        process = launch_program(program, tmp_path)
        try:
            pid = await wait_for_handler(process, program)
            await until(partial(is_past, time.monotonic() + moment), every=0.001)
            os.kill(pid, number)

            await until(partial(has_ended, process), within=20)
        finally:
            process.kill()
            process.wait()

        said = (tmp_path / "log").read_text(encoding="utf-8")
        assert process.returncode == 0, (moment, said)
        assert "Traceback" not in said
        assert "Exception" not in said


async def test_a_command_that_is_process_1_ends_at_sigterm(tmp_path: Path) -> None:
    if not own_namespace():
        pytest.skip("no process namespaces here")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        where = f"127.0.0.1:{silent.getsockname()[1]}"
        ask = ["status", "--target", where, "--timeout", "60"]
        program = [*own_namespace(), sys.executable, "-m", "gcsched", *ask]
        process = launch_program(program, tmp_path)
        try:
            os.kill(await wait_for_handler(process, program), signal.SIGTERM)

            await until(partial(has_ended, process), within=20)
        finally:
            process.kill()
            process.wait()

    assert process.returncode == 128 + signal.SIGTERM


async def stop_while_mongodb_is_away(how: str, folder: Path) -> tuple[int, str]:
    """Return the exit code and the log.

    What was under way is a claim, a sweep, and calls whose callers go at the same time.
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
                # No word tells that the claim of the due job has begun.
                await until(lambda: time.time() > due + 0.5)

                code = await running.stop(within=60)

                for call in calls:
                    call.cancel()
        finally:
            await running.kill_if_running()
    return code, running.log


async def test_a_stop_while_mongodb_is_away_is_no_error(tmp_path: Path) -> None:
    """Both ways beside each other: nearly all of it is waiting."""
    folders = {how: tmp_path / how for how in ("frozen", "killed")}
    for folder in folders.values():
        folder.mkdir()

    ends = await asyncio.gather(*itertools.starmap(stop_while_mongodb_is_away, folders.items()))

    for how, (code, log) in zip(folders, ends, strict=True):
        assert code == 0, how
        levels = {event["level"]: event for event in map(json.loads, log.splitlines())}
        assert not {"error", "critical"} & levels.keys(), (how, levels)
