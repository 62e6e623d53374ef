"""`python -m gcsched dev` as a process: its output, its children, its exit."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Condition, Thread
from typing import IO, Any, Protocol

import grpc
import psutil

from gcsched.pb import task_pb2, task_pb2_grpc
from tests.support.command import without_settings
from tests.support.forks import Fork, Streams
from tests.support.ports import free_port

MAX_WAIT_SECONDS = 30.0


class Program(Protocol):
    """The part of :class:`subprocess.Popen` that is used here."""

    @property
    def pid(self) -> int: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def send_signal(self, sig: int, /) -> None: ...
    def kill(self) -> None: ...


@dataclass(kw_only=True, eq=False)
class DevProcess:
    process: Program
    folder: Path
    port: int
    lines: list[str] = field(default_factory=list)
    line_arrived: Condition = field(default_factory=Condition)
    has_ended: bool = False

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def output(self) -> str:
        return "\n".join(self.lines)

    def read_lines(self, pipe: IO[str]) -> None:
        for line in pipe:
            with self.line_arrived:
                self.lines.append(line.rstrip("\n"))
                self.line_arrived.notify_all()
        with self.line_arrived:
            self.has_ended = True
            self.line_arrived.notify_all()

    def wait_for(self, pattern: str) -> str:
        """Wait for a line with *pattern*; return the line."""

        def find_line() -> str | None:
            return next((line for line in self.lines if re.search(pattern, line)), None)

        with self.line_arrived:
            self.line_arrived.wait_for(lambda: self.has_ended or find_line(), MAX_WAIT_SECONDS)
            line = find_line()
        assert line is not None, f"no line with {pattern!r} in:\n{self.output}"
        return line

    def wait_after(self, line: str, pattern: str) -> str:
        """Wait for a line with *pattern* after *line*; return it."""

        def find_line() -> str | None:
            after = self.lines[self.lines.index(line) + 1 :]
            return next((each for each in after if re.search(pattern, each)), None)

        with self.line_arrived:
            self.line_arrived.wait_for(lambda: self.has_ended or find_line(), MAX_WAIT_SECONDS)
            found_line = find_line()
        assert found_line is not None, f"no line with {pattern!r} after {line!r}:\n{self.output}"
        return found_line

    def wait_ready(self) -> float:
        """Wait until it is ready; return the start time in seconds that it prints."""
        match = re.search(r"serving after ([0-9.]+) s", self.wait_for("serving after"))
        assert match is not None
        self.wait_for("  try ")
        return float(match[1])

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def wait_for_exit(self) -> int:
        """Wait until it has ended and its last line is read; return the exit code."""
        code = self.process.wait(MAX_WAIT_SECONDS)
        with self.line_arrived:
            assert self.line_arrived.wait_for(lambda: self.has_ended, MAX_WAIT_SECONDS)
        return code

    def stop(self) -> int:
        """Send SIGINT, as Ctrl-C does; return the exit code."""
        self.signal(signal.SIGINT)
        return self.wait_for_exit()

    def children(self) -> list[psutil.Process]:
        found = psutil.Process(self.process.pid).children(recursive=True)
        assert sorted(child.name() for child in found) == ["mongod", "valkey-server"]
        return found

    def mails(self, ending: str) -> list[Path]:
        return sorted((self.folder / "mails").glob(f"*.{ending}"))

    def schedule(self, *, in_seconds: int | None, **others: Any) -> str:
        """Schedule a mail by gRPC (None: for the daily queue); return the job's id."""
        fields: dict[str, Any] = {
            "empid": "E1",
            "emailID": "ada@example.org",
            "message": "Interview",
            **others,
        }
        timestamp = 0 if in_seconds is None else int(time.time()) + in_seconds
        with grpc.insecure_channel(self.target) as channel:
            stub = task_pb2_grpc.SchedulerStub(channel)
            request = task_pb2.MeetRequest(timestamp=timestamp, **fields)
            return str(stub.ScheduleMeet(request, timeout=10).job_id)


@contextmanager
def run_dev(
    folder: Path,
    *arguments: str,
    environment: Mapping[str, str] | None = None,
    is_executed: bool = False,
) -> Iterator[DevProcess]:
    """Run `gcsched dev` on *folder* until the block ends; then kill it if it still runs."""
    port = free_port()
    where = ["--data", str(folder), "--grpc", f"127.0.0.1:{port}"]
    settings = {"GCSCHED_HTTP_LISTEN": "127.0.0.1:0", **(environment or {})}
    start = execute_program if is_executed else fork_program
    reading, writing = os.pipe()
    process = start(["dev", *where, *arguments], without_settings() | settings, writing)
    os.close(writing)
    running = DevProcess(process=process, folder=folder, port=port)
    with os.fdopen(reading, encoding="utf-8") as output:
        listener = Thread(target=running.read_lines, args=(output,), daemon=True)
        listener.start()
        try:
            yield running
        finally:
            process.kill()
            process.wait()
            listener.join()


def fork_program(arguments: Sequence[str], environment: Mapping[str, str], output: int) -> Program:
    return Fork(arguments, environment, Streams(output=output, errors=output))


def execute_program(
    arguments: Sequence[str], environment: Mapping[str, str], output: int
) -> Program:
    command = [sys.executable, "-m", "gcsched", *arguments]
    return subprocess.Popen(command, env=environment, stdout=output, stderr=output)
