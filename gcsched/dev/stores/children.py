"""Servers as child processes that end with this process, even if it is killed with SIGKILL.

The error for a server that died comes from its exit code and its log.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gcsched.errors import EmbeddedStoreProblem

LOOPBACK = "127.0.0.1"

# Asks the kernel for SIGKILL when the parent dies (PR_SET_PDEATHSIG is 1), then becomes the server.
# An exec shim, because a preexec_fn runs Python between fork and exec and may deadlock on a lock
# that another thread held at the fork.
SHIM = """
import ctypes, os, signal, sys
parent, *command = sys.argv[1:]
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
if os.getppid() != int(parent):
    sys.exit("the parent is gone already")
os.execv(command[0], command)
"""


@dataclass(kw_only=True)
class ChildProcess:
    """A server process. It dies with the *thread* that launches it, so use the main thread."""

    name: str
    command: Sequence[str]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    lock: int | None = None  # a locked file descriptor for the child to inherit
    start_timeout_seconds: float = 30.0
    grace_seconds: float = 10.0
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def pid(self) -> int:
        return self._require_process().pid

    def launch(self) -> None:
        if self.process is not None and self.process.poll() is None:
            raise EmbeddedStoreProblem(
                f"{self.name} is already running as process {self.pid}: close it first"
            )
        shim = [sys.executable, "-I", "-S", "-c", SHIM, str(os.getpid())]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(  # noqa: S603 - no shell, and a fixed command
                [*shim, *self.command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # Both servers fail on a locale that is not installed.
                env={**os.environ, "LC_ALL": "C", **self.environment},
                pass_fds=() if self.lock is None else (self.lock,),
                # A Ctrl-C reaches this process only, which then stops the child in order.
                start_new_session=True,
            )

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Block until *condition* holds; raise if the child dies or the start timeout ends."""
        deadline = time.monotonic() + self.start_timeout_seconds
        while not condition():
            exit_code = self._require_process().poll()
            if exit_code is not None:
                log = self.log.read_text(errors="replace")
                raise EmbeddedStoreProblem(explain_exit(self.name, exit_code, log))
            if time.monotonic() > deadline:
                limit = f"{self.start_timeout_seconds:g} s"
                raise EmbeddedStoreProblem(
                    f"{self.name} was not ready after {limit}: see {self.log}"
                )
            time.sleep(0.01)

    def send_signal(self, number: signal.Signals) -> None:
        self._require_process().send_signal(number)

    def kill(self) -> None:
        """Send SIGKILL to the child, if there is one, and reap it."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def close(self) -> None:
        """Stop the child and wait; kill it after the grace time. Blocks; may be called twice."""
        if self.process is None or self.process.poll() is not None:
            return
        self.send_signal(signal.SIGTERM)
        self.send_signal(signal.SIGCONT)  # a child stopped by SIGSTOP handles no SIGTERM
        try:
            self.process.wait(self.grace_seconds)
        except subprocess.TimeoutExpired:
            self.kill()

    def _require_process(self) -> subprocess.Popen[bytes]:
        if self.process is None:
            raise EmbeddedStoreProblem(f"{self.name} was not started")
        return self.process


def free_port(port: int = 0) -> int:
    """Return *port* if it is free, any free port for 0."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            raise EmbeddedStoreProblem(
                f"port {port} is taken by another program: stop it or choose another port"
            ) from error
        found: int = probe.getsockname()[1]
    return found


def is_listening(port: int) -> bool:
    try:
        socket.create_connection((LOOPBACK, port), timeout=1).close()
    except OSError:
        return False
    return True


def explain_exit(name: str, exit_code: int, log: str) -> str:
    if exit_code == -signal.SIGILL:
        return (
            f"{name} died of an illegal instruction and needs a newer processor: "
            "use another machine, or your own servers with `python -m gcsched serve`"
        )
    how = _describe_exit(exit_code)
    return f"{name} died at its start ({how}); its log ends with: {find_error_line(log)}"


def find_error_line(log: str) -> str:
    """Return the last line that names an error; when none does, the last line."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    errors = [line for line in lines if _is_error(line)]
    return _format_log_line((errors or lines or ["(nothing)"])[-1])


def _describe_exit(exit_code: int) -> str:
    return f"exit code {exit_code}" if exit_code >= 0 else signal.Signals(-exit_code).name


def _is_error(line: str) -> bool:
    entry = _parse_mongod_entry(line)
    return entry.get("s") in {"E", "F"} if entry else " # " in line or "error" in line


def _format_log_line(line: str) -> str:
    entry = _parse_mongod_entry(line)
    if not entry:
        return line
    error = entry.get("attr", {}).get("error", "")
    detail = error.get("errmsg", "") if isinstance(error, dict) else str(error)
    return f"{entry.get('msg', line)}: {detail}" if detail else str(entry.get("msg", line))


def _parse_mongod_entry(line: str) -> dict[str, Any]:
    """Parse a line of mongod's JSON log; return {} if it is anything else."""
    try:
        entry = json.loads(line)
    except ValueError:
        return {}
    return entry if isinstance(entry, dict) else {}
