"""The command line on a terminal of its own."""

import asyncio
import os
import pty
import subprocess
import sys
import termios
from collections.abc import Sequence


async def run_on_terminal(
    arguments: Sequence[str], *, columns: int = 80, input_text: str = ""
) -> tuple[int, str]:
    """Run the command, type what is *input_text*; give the exit code and what was to be seen."""
    return await asyncio.to_thread(_run_in_pty, arguments, columns, input_text)


def _run_in_pty(arguments: Sequence[str], columns: int, typed: str) -> tuple[int, str]:
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, columns))
    with subprocess.Popen(
        [sys.executable, "-m", "gcsched", *arguments],
        env=os.environ | {"TERM": "xterm-256color"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    ) as process:
        os.close(theirs)
        os.write(ours, typed.encode())
        shown = b""
        try:
            while read := os.read(ours, 65_536):
                shown += read
        except OSError:  # Linux: the last one who writes has gone
            pass
        os.close(ours)
    return process.returncode, shown.decode().replace("\r\n", "\n")
