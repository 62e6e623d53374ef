"""Two ways to start a service: execute the program, or fork a process that has imported it.

The imports cost about two seconds of CPU time, and the suite starts about a hundred services.
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
from gcsched.process.zone_data import use_packaged_zones

ARGUMENTS = ["serve"]
COMMAND = ("-m", "gcsched", *ARGUMENTS)

_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(["gcsched.app", "tests.support.launch"])


class Child(Protocol):
    """The part of :class:`subprocess.Popen` that tests use."""

    @property
    def pid(self) -> int: ...

    def poll(self) -> int | None:
        """Return the exit code, None while it runs; negative when a signal ended it."""

    def send_signal(self, sig: int, /) -> None: ...


Launch = Callable[[Mapping[str, str], Path], Child]


def execute_service(
    environment: Mapping[str, str], log_file: Path, command: Sequence[str] = COMMAND
) -> Child:
    """Start ``python -m gcsched serve`` as an operator does."""
    with log_file.open("ab") as log:
        # Not uvloop's subprocesses: it forks, and gRPC's fork handlers may abort the child.
        return subprocess.Popen(
            [sys.executable, *command],
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,  # otherwise a frozen one gets SIGHUP when the shell ends
        )


def fork_service(
    environment: Mapping[str, str], log_file: Path, before: Callable[[], None] | None = None
) -> Child:
    """Start the service in a fork of a process that has imported it and has no other thread.

    The child calls *before*, which must be importable, before anything else.
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
    """Set up the process as if the program had been executed, and serve."""
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    log = os.open(log_file, os.O_WRONLY | os.O_APPEND)
    os.dup2(log, sys.stdout.fileno())
    os.dup2(log, sys.stderr.fileno())
    os.environ.clear()
    os.environ.update(environment)
    if before is not None:
        before()
    use_packaged_zones()
    sys.exit(main(ARGUMENTS))
