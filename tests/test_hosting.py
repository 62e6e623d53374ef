"""Where standard error is a socket, as under systemd, a process is ended as anywhere else."""

import asyncio
import json
import socket
import sys

from tests.support.service_process import environment

PROGRAM = """
import os, time
from gcsched.hosting import hosted
from gcsched.config.settings import load

with hosted(load(os.environ), os.environ) as around:
    assert around.watchdog.traces is not None
around.watchdog.arm(0.05, "it hangs")
time.sleep(60)
"""


async def test_an_abort_after_the_block_is_logged_to_a_socket() -> None:
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", PROGRAM),
                stderr=theirs.fileno(),
                env=environment(
                    mongo="mongodb://127.0.0.1:9", redis="redis://127.0.0.1:9", relay_port=9
                ),
            )
        code = await asyncio.wait_for(process.wait(), 30)
        lines = ours.makefile().read().splitlines()

    assert code == 1
    assert [json.loads(line)["reason"] for line in lines if "ended hard" in line] == ["it hangs"]
