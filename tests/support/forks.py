"""The program in a fork of a process that has imported it, instead of one that is executed.

The imports cost a command a third of a second of CPU time and a service more than one; the suite
starts some three hundred programs.
"""

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection

from gcsched.cli.entry import main

_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(["tests.support.preloaded"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Streams:
    """The file descriptors of the standard streams; the program gets duplicates of them.

    Without an *input* that is empty.
    """

    input: int | None = None
    output: int
    errors: int


class Fork:
    """`gcsched` with *arguments*, in a session of its own.

    It calls *before*, which must be importable, before anything else.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        streams: Streams,
        before: Callable[[], None] | None = None,
    ) -> None:
        # multiprocessing hands connections, and no other descriptors, to a process that it starts.
        numbers = {0: streams.input, 1: streams.output, 2: streams.errors}
        sent = {
            at: Connection(os.dup(number)) for at, number in numbers.items() if number is not None
        }
        self._process = _forks.Process(
            target=_run, args=(list(arguments), dict(environment), sent, before)
        )
        self._process.start()
        for each in sent.values():
            each.close()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it has ended; return the exit code. Raises TimeoutError."""
        self._process.join(timeout)
        if (code := self.poll()) is None:
            raise TimeoutError
        return code

    def send_signal(self, sig: int, /) -> None:
        if self.poll() is None:
            os.kill(self.pid, sig)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def _run(
    arguments: list[str],
    environment: dict[str, str],
    streams: Mapping[int, Connection],
    before: Callable[[], None] | None,
) -> None:
    """Set up the process as if the program had been executed, and run it."""
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for at, stream in streams.items():
        os.dup2(stream.fileno(), at)
        stream.close()
    open_streams()
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["gcsched", *arguments]
    if before is not None:
        before()
    sys.exit(main())


def open_streams() -> None:
    """Open the standard streams as the interpreter does at its start."""
    sys.stdin = os.fdopen(0, closefd=False)
    sys.stdout = os.fdopen(1, "w", 1 if os.isatty(1) else -1, closefd=False)
    sys.stderr = os.fdopen(2, "w", 1, errors="backslashreplace", closefd=False)
