"""Messages on standard error never fail a command."""

import io
import os
import sys
import time
from pathlib import Path

import pytest

from gcsched.cli.standard_streams import BestEffortStream, best_effort_stderr


def test_text_reaches_a_stream_that_accepts_it(capsys: pytest.CaptureFixture[str]) -> None:
    with best_effort_stderr():
        sys.stderr.write("a word\n")

    assert capsys.readouterr().err == "a word\n"


def test_text_that_cannot_be_written_is_dropped_without_an_error() -> None:
    with Path("/dev/full").open("w") as full:
        BestEffortStream(full).write("lost\n")

    BestEffortStream(None).write("lost\n")
    assert not BestEffortStream(None).isatty()
    with pytest.raises(io.UnsupportedOperation):
        BestEffortStream(None).fileno()


def test_a_full_pipe_is_waited_for_at_most_a_second() -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with os.fdopen(reading), os.fdopen(writing, "w") as pipe:
        while True:
            try:
                os.write(writing, b"\n" * 4096)
            except BlockingIOError:
                break
        os.set_blocking(writing, True)
        started = time.monotonic()

        BestEffortStream(pipe).write("lost\n")

        assert 0.9 < time.monotonic() - started < 3


def test_characters_that_the_encoding_lacks_are_escaped(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with os.fdopen(os.dup(2), "w", encoding="ascii") as stream:
        BestEffortStream(stream).write("half a pair \ud83d, an umlaut ä\n")

    assert capfd.readouterr().err == "half a pair \\ud83d, an umlaut \\xe4\n"
