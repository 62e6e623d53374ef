"""A real gcsched for tests, with stores of its own; it catches every mail and delivers none."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from select import select
from typing import Any, Self

from gcsched.testing.mails import ReceivedMail, read_mails

ANSWER_SECONDS = 120.0  # a first start of MongoDB on a busy machine
STOP_SECONDS = 30.0
POLL_SECONDS = 0.02
LOG_LINES = 20


class ServiceFailed(Exception):
    """The service for the tests did not start, or ended; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningService:
    """A running gcsched: its address, and the folder of the mails that it has sent."""

    target: str
    folder: Path

    @property
    def mails(self) -> list[ReceivedMail]:
        """The mails so far, in the order of their arrival."""
        return read_mails(self.folder)

    def wait_for_mails(self, number: int = 1, *, timeout: float = 10.0) -> list[ReceivedMail]:
        """Wait until there are at least *number* mails and return all. Raises TimeoutError.

        This blocks: in asyncio code, call it by `asyncio.to_thread`.
        """
        end = time.monotonic() + timeout
        while len(found := self.mails) < number:
            if time.monotonic() > end:
                listed = ", ".join(f"{each.subject!r} to {each.to}" for each in found) or "none"
                raise TimeoutError(
                    f"expected {number} mails, found {len(found)} after {timeout:g} s: {listed}"
                )
            time.sleep(POLL_SECONDS)
        return found


class ServiceHost:
    """The process that has the stores in *folder*; it runs one service after another."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._log = folder / "host.log"
        self._numbers = count(1)

    def __enter__(self) -> Self:
        self._process = self._launch()
        try:
            self._read_answer()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    @contextmanager
    def run_service(self, environ: Mapping[str, str]) -> Iterator[RunningService]:
        """Run a service with empty stores and the settings *environ*. Raises ServiceFailed."""
        mails = self._folder / f"mails-{next(self._numbers)}"
        target = self._send(mails=str(mails), environ=dict(environ))
        try:
            yield RunningService(target=target, folder=mails)
        finally:
            self._send()

    def _launch(self) -> subprocess.Popen[bytes]:
        package = Path(__file__).parents[2]
        given = os.environ.get("PYTHONPATH")
        with self._log.open("wb") as log:
            return subprocess.Popen(
                [sys.executable, "-P", "-m", "gcsched.testing.host", str(self._folder / "data")],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, "PYTHONPATH": f"{given}:{package}" if given else str(package)},
                start_new_session=True,  # a Ctrl-C is for pytest, which then ends this process
            )

    def _end(self) -> None:
        try:
            self._process.communicate(timeout=STOP_SECONDS)  # the end of its input ends it
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()

    def _send(self, **order: Any) -> str:
        """Send *order* and return the target in the answer, "" if it has none."""
        stdin = self._process.stdin
        if stdin is not None and self._process.poll() is None:
            stdin.write(json.dumps(order).encode() + b"\n")
            stdin.flush()
        return self._read_answer()

    def _read_answer(self) -> str:
        answer = json.loads(self._read_line())
        if error := answer.get("error"):
            raise ServiceFailed(error)
        return str(answer.get("target", ""))

    def _read_line(self) -> bytes:
        """Return the next line of the process. Raises ServiceFailed at its end."""
        line, end = b"", time.monotonic() + ANSWER_SECONDS
        output = self._process.stdout
        while output is not None and not line.endswith(b"\n"):
            if not select([output], [], [], max(0.0, end - time.monotonic()))[0]:
                raise ServiceFailed(f"the service did not answer within {ANSWER_SECONDS:g} s")
            octets = os.read(output.fileno(), 4096)
            if not octets:
                raise ServiceFailed(self._explain_end())
            line += octets
        return line

    def _explain_end(self) -> str:
        log = self._log.read_text(errors="replace").splitlines()
        code = self._process.wait(STOP_SECONDS)
        return "\n".join([f"the service ended with exit code {code}", *log[-LOG_LINES:]])
