"""Two ways to begin a service: execute the program, or fork one that has imported it already.

An import costs some two seconds of a processor; the suite begins about a hundred services.
"""

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from gcsched.cli.main import main

ARGUMENTS = ["serve"]
COMMAND = ("-m", "gcsched", *ARGUMENTS)

_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(["gcsched.app", "tests.support.launch"])


class Child(Protocol):
    """What we want of a :class:`subprocess.Popen`."""

    @property
    def pid(self) -> int: ...

    def poll(self) -> int | None:
        """Give the exit code, None before the end; a signal's is negative."""

    def send_signal(self, sig: int, /) -> None: ...


Launch = Callable[[Mapping[str, str], Path], Child]


def execute_service(
    environment: Mapping[str, str], log_file: Path, command: Sequence[str] = COMMAND
) -> Child:
    """Begin ``python -m gcsched serve`` as an operator does."""
    with log_file.open("ab") as log:
        # Not by uvloop: it forks, and gRPC's fork handlers abort the child now and then.
        return subprocess.Popen(
            [sys.executable, *command],
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,  # a frozen one would get SIGHUP when our shell ends
        )


def fork_service(
    environment: Mapping[str, str], log_file: Path, before: Callable[[], None] | None = None
) -> Child:
    """Fork a process of one thread that has imported the program and opened nothing yet.

    *before*, which must be importable, is called in it first.
    """
    if "LD_PRELOAD" in environment:
        return execute_service(environment, log_file)
    return _Fork(environment, log_file, before)


class _Fork:
    def __init__(
        self,
        environment: Mapping[str, str],
        log_file: Path,
        before: Callable[[], None] | None,
    ) -> None:
        log_file.touch()
        arguments = (dict(environment), str(log_file), before)
        self._process = _forks.Process(target=_serve, args=arguments)
        self._process.start()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    def poll(self) -> int | None:
        return self._process.exitcode

    def send_signal(self, sig: int, /) -> None:
        if self.poll() is None:
            os.kill(self.pid, sig)


def _serve(environment: dict[str, str], log_file: str, before: Callable[[], None] | None) -> None:
    """Become the service; from here on all is as if the program had been executed."""
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    log = os.open(log_file, os.O_WRONLY | os.O_APPEND)
    os.dup2(log, sys.stdout.fileno())
    os.dup2(log, sys.stderr.fileno())
    os.environ.clear()
    os.environ.update(environment)
    if before is not None:
        before()
    sys.exit(main(ARGUMENTS))
