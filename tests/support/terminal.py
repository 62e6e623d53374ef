"""The command line on a pseudo-terminal."""

import asyncio
import os
import pty
import termios
from collections.abc import Sequence

from tests.support.forks import Fork, Streams


async def run_on_terminal(
    arguments: Sequence[str], *, columns: int = 80, input_text: str = ""
) -> tuple[int, str]:
    """Run the command and type *input_text*; return the exit code and the output."""
    return await asyncio.to_thread(_run_in_pty, arguments, columns, input_text)


def _run_in_pty(arguments: Sequence[str], columns: int, input_text: str) -> tuple[int, str]:
    controller, terminal = pty.openpty()
    termios.tcsetwinsize(terminal, (24, columns))
    environment = os.environ | {"TERM": "xterm-256color"}
    streams = Streams(input=terminal, output=terminal, errors=terminal)
    process = Fork(arguments, environment, streams)
    os.close(terminal)
    os.write(controller, input_text.encode())
    shown = b""
    try:
        while read := os.read(controller, 65_536):
            shown += read
    except OSError:  # on Linux, when the last writer has gone
        pass
    os.close(controller)
    return process.wait(), shown.decode().replace("\r\n", "\n")
