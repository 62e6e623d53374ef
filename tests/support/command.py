"""The command line in a thread or as a process, awaited, so that the test's loop can serve it."""

import asyncio
import io
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass

from gcsched.cli.main import main
from tests.support import forwarding
from tests.support.fork_server import forks_for_shells
from tests.support.forks import Fork, Streams


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandResult:
    code: int
    out: str
    err: str


async def run_command(*arguments: str) -> CommandResult:
    """Run a command in a thread, without a terminal; one at a time."""
    return await asyncio.to_thread(_run_main, arguments)


def _run_main(arguments: tuple[str, ...]) -> CommandResult:
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            code = main(arguments)
        except SystemExit as end:
            code = int(str(end.code))
    return CommandResult(code=code, out=out.getvalue(), err=err.getvalue())


async def run_gcsched(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run the program: in a fork, unless its interpreter is to see a variable of its own."""
    if any(name.startswith("PYTHON") for name in environ):
        return await run_python("-m", "gcsched", *arguments, **environ)
    return await asyncio.to_thread(fork_and_wait, arguments, environ)


def fork_and_wait(
    arguments: Sequence[str], environ: Mapping[str, str], timeout: float | None = None
) -> subprocess.CompletedProcess[str]:
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        streams = Streams(output=output.fileno(), errors=errors.fileno())
        code = Fork(arguments, {**without_settings(), **environ}, streams).wait(timeout)
        for file in (output, errors):
            file.seek(0)
        return subprocess.CompletedProcess(
            arguments, code, output.read().decode(), errors.read().decode()
        )


async def run_python(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return await run_process(sys.executable, *arguments, **environ)


async def run_shell(script: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run *script* up to the first command that fails; `gcsched` in it is this program."""
    function = f'gcsched() {{ "{sys.executable}" -m gcsched "$@"; }}'
    return await run_process("sh", "-euc", f"{function}\n{script}", **environ)


async def run_shell_with_forks(script: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run *script* as `run_shell` does, which is slower; a pipe or a limit may be none of its."""
    with forks_for_shells() as path:
        forward = shlex.join([sys.executable, "-IS", forwarding.__file__, str(path)])
        function = f'gcsched() {{ {forward} "$@"; }}'
        return await run_process("sh", "-euc", f"{function}\n{script}", **environ)


async def run_process(*command: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return await asyncio.to_thread(
        subprocess.run,
        command,
        env=without_settings() | environ,
        capture_output=True,
        text=True,
        check=False,
    )


def without_settings() -> dict[str, str]:
    """Return the environment without the settings of gcsched."""
    return {k: v for k, v in os.environ.items() if not k.startswith("GCSCHED_")}
