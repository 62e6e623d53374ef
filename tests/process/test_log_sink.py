"""A log that cannot be written blocks nothing, and reports afterwards what was dropped."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from gcsched.process.log_sink import LogSink
from tests.support.wait import until


@contextmanager
def a_pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    try:
        yield reading, writing
    finally:
        for end in (reading, writing):
            os.close(end)


def fill_pipe(writing: int) -> int:
    """Write until the pipe is full; return how many bytes it took."""
    os.set_blocking(writing, False)
    took = 0
    try:
        while True:
            took += os.write(writing, b"\n" * 4096)
    except BlockingIOError:
        os.set_blocking(writing, True)
    return took


def read_lines(reading: int, count: int) -> list[str]:
    """Read *count* lines; return them without line breaks."""
    text = b""
    while text.count(b"\n") < count:
        text += os.read(reading, 65536)
    return text.decode().splitlines()


def test_lines_are_written_whole_and_in_order() -> None:
    lines = [f"{number} " + "x" * (number % 5000) for number in range(2000)]
    with a_pipe() as (reading, writing), LogSink(writing) as sink:
        for first in range(0, 2000, 10):
            for line in lines[first : first + 10]:
                sink.write(line + "\n")
            assert read_lines(reading, 10) == lines[first : first + 10]

    assert sink.dropped == 0


async def test_without_a_reader_lines_are_dropped_counted_and_reported() -> None:
    with a_pipe() as (reading, writing), LogSink(writing, max_lines=50) as sink:
        took = fill_pipe(writing)
        begun = time.perf_counter()
        for number in range(1000):
            sink.write(f"line {number}\n")
        seconds = time.perf_counter() - begun
        assert not sink.drain(0.1)
        # The lines that the thread took before it blocked are not in the queue.
        assert 900 <= sink.dropped <= 950

        kept = 1000 - sink.dropped
        while took > 0:
            took -= len(os.read(reading, min(took, 65536)))
        lines = read_lines(reading, kept + 1)

        assert lines == [
            *(f"line {number}" for number in range(50)),
            *lines[50:kept],
            f"{sink.dropped} log lines dropped",
        ]
        assert all(line.startswith("line ") for line in lines[:kept])
        assert seconds < 0.5
        assert os.get_blocking(writing), "others may share it"


def test_bytes_are_limited_like_lines() -> None:
    with a_pipe() as (_, writing), LogSink(writing, max_bytes=1000) as sink:
        fill_pipe(writing)
        for _ in range(10):
            sink.write("x" * 499 + "\n")

        assert sink.dropped in {6, 7, 8}
        assert sink.write("x" * 2000 + "\n") == 2001


def test_leaving_with_a_pipe_without_a_reader_takes_a_second_at_most() -> None:
    with a_pipe() as (_, writing):
        with LogSink(writing) as sink:
            fill_pipe(writing)
            sink.write("last words\n")
            begun = time.perf_counter()

        assert 0.9 < time.perf_counter() - begun < 2


@pytest.mark.parametrize("how", ["/dev/full", "closed"])
def test_an_output_that_always_fails_raises_nothing(how: str) -> None:
    with a_pipe() as (_, writing):
        output = os.open(how, os.O_WRONLY) if how != "closed" else os.dup(writing)
        if how == "closed":
            broken, other = os.pipe()
            os.dup2(other, output)
            os.close(other)
            os.close(broken)
        with LogSink(output, max_lines=5) as sink:
            for _ in range(100):
                sink.write("lost\n")
            sink.flush()

            assert sink.dropped >= 90


def test_lone_surrogates_are_written_as_escapes() -> None:
    with a_pipe() as (reading, writing), LogSink(writing) as sink:
        sink.write("half a pair: \ud83d, an umlaut: ä\n")

        assert read_lines(reading, 1) == ["half a pair: \\ud83d, an umlaut: ä"]


async def test_a_line_written_by_a_destructor_inside_write_does_not_deadlock() -> None:
    with a_pipe() as (reading, writing), LogSink(writing) as sink:

        class Nested(str):
            __slots__ = ()

            def encode(self, *_: object, **__: object) -> bytes:
                sink.write("inner\n")
                return b"outer\n"

        sink.write(Nested("outer\n"))

        await until(lambda: sink.drain(0.5))
        assert sorted(read_lines(reading, 2)) == ["inner", "outer"]


def test_a_line_after_the_threads_end_is_written_by_drain() -> None:
    with a_pipe() as (reading, writing):
        with LogSink(writing) as sink:
            sink.write("in time\n")
        sink.write("process aborted " + "x" * 5000 + "\n")

        assert sink.drain()
        assert read_lines(reading, 2) == ["in time", "process aborted " + "x" * 5000]


def test_a_line_after_the_threads_end_does_not_wait_for_a_reader() -> None:
    with a_pipe() as (_, writing):
        with LogSink(writing) as sink:
            pass
        fill_pipe(writing)
        sink.write("lost\n")
        begun = time.perf_counter()

        assert not sink.drain(0.1)
        assert time.perf_counter() - begun < 1
