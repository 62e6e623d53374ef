"""With a socket as standard error, as under systemd, a process is aborted as anywhere else."""

import asyncio
import json
import socket
import sys

from tests.support.service_process import environment

PROGRAM = """
import os, time
from gcsched.hosting import host_service
from gcsched.config.settings import read_settings

with host_service(read_settings(os.environ), os.environ) as hooks:
    assert hooks.watchdog.trace_file is not None
hooks.watchdog.arm(0.05, "it hangs")
time.sleep(60)
"""


async def test_an_abort_after_the_block_is_logged_to_a_socket() -> None:
    reading, writing = socket.socketpair()
    with reading:
        with writing:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", PROGRAM),
                stderr=writing.fileno(),
                env=environment(
                    mongo="mongodb://127.0.0.1:9", redis="redis://127.0.0.1:9", relay_port=9
                ),
            )
        code = await asyncio.wait_for(process.wait(), 30)
        lines = reading.makefile().read().splitlines()

    assert code == 1
    aborted = [json.loads(line) for line in lines if "process aborted" in line]
    assert [event["reason"] for event in aborted] == ["it hangs"]
