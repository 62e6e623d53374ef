"""Two ways to start a service: execute the program, or fork a process that has imported it."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from tests.support.forks import Fork, Streams

ARGUMENTS = ["serve"]
COMMAND = ("-m", "gcsched", *ARGUMENTS)


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
    log = os.open(log_file, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        return Fork(ARGUMENTS, environment, Streams(output=log, errors=log), before)
    finally:
        os.close(log)
