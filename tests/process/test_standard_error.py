"""Foreign output to standard error goes to the log and blocks nothing."""

import os
import select
import socket
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from gcsched.process.standard_error import open_nonblocking, redirect_standard_error
from tests.support.unwritable_logs import a_small_pipe
from tests.support.wait import until


@contextmanager
def standard_error_at(output: int) -> Iterator[None]:
    """Point descriptor 2 at *output*, as the parent of a service does."""
    kept = os.dup(2)
    os.dup2(output, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def divide_by(number: int) -> float:
    return 1 / number


async def test_output_of_libraries_and_tracebacks_is_logged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(threading, "excepthook", threading.__excepthook__)  # pytest has its own
    texts: list[str] = []
    with redirect_standard_error(texts.append):
        os.write(2, b"E0000 01:02:03 1 chttp2_transport.cc:1] words of C\n")
        await until(lambda: len(texts) == 1)
        traceback.print_exception(ZeroDivisionError())
        await until(lambda: len(texts) == 2)
        threading.Thread(target=divide_by, args=(0,), name="dying").start()
        await until(lambda: len(texts) == 3)

    assert texts[0].endswith("words of C")
    assert texts[1] == "ZeroDivisionError"
    assert "in thread dying" in texts[2].splitlines()[0]
    assert texts[2].splitlines()[-1].startswith("ZeroDivisionError")


def test_afterwards_standard_error_is_restored() -> None:
    stream, before = sys.stderr, os.fstat(2)

    with redirect_standard_error(lambda _: None):
        assert os.fstat(2) != before

    assert sys.stderr is stream
    assert (os.fstat(2).st_dev, os.fstat(2).st_ino) == (before.st_dev, before.st_ino)
    assert "standard error" not in {thread.name for thread in threading.enumerate()}


def test_a_flood_without_a_reader_blocks_no_thread() -> None:
    hold = threading.Event()

    def on_text(_: str) -> None:
        hold.wait(10)

    with redirect_standard_error(on_text):
        begun = time.perf_counter()
        for _ in range(200):
            sys.stderr.write("x" * 65_536)
        seconds = time.perf_counter() - begun
        hold.set()

    assert seconds < 1


@pytest.mark.skipif(sys.platform != "linux", reason="descriptors are opened again by /proc")
def test_the_last_writes_do_not_block_on_a_stalled_pipe(tmp_path: Path) -> None:
    reading, path = a_small_pipe(tmp_path, is_full=True)
    writing = os.open(path, os.O_WRONLY)
    with os.fdopen(reading, "rb"), os.fdopen(writing, "wb"), standard_error_at(writing):
        with redirect_standard_error(lambda _: None):
            pass

        assert not os.get_blocking(2)
        with pytest.raises(BlockingIOError):
            os.write(2, b"last words of C\n")
        os.read(reading, 4096)
        os.write(2, b"last words of C\n")

        assert os.read(reading, 4096) == b"last words of C\n"
        assert os.get_blocking(writing), "others share it"


@pytest.mark.parametrize("is_full", [False, True])
def test_the_last_writes_go_to_a_socket_that_has_room(*, is_full: bool) -> None:
    """A socket, as systemd gives, cannot be opened again."""
    reading, writing = socket.socketpair()
    with reading, writing, standard_error_at(writing.fileno()):
        with suppress(BlockingIOError):
            while is_full:
                writing.send(b"x", socket.MSG_DONTWAIT)
        with redirect_standard_error(lambda _: None):
            pass

        assert select.select([], [2], [], 0)[1], "else the write would wait"
        os.write(2, b"last words of C\n")

        assert reading.recv(4096).endswith(b"x" if is_full else b"last words of C\n")


def test_the_last_writes_come_after_those_of_others_to_the_same_file(tmp_path: Path) -> None:
    """Processes that share an open file share its offset; a second open would not."""
    log = tmp_path / "log"
    with log.open("wb", buffering=0) as shared, standard_error_at(shared.fileno()):
        with redirect_standard_error(lambda _: None):
            pass
        os.write(2, b"ours\n")
        shared.write(b"theirs\n")

    assert log.read_bytes() == b"ours\ntheirs\n"


@pytest.mark.skipif(sys.platform != "linux", reason="descriptors are opened again by /proc")
def test_a_nonblocking_stream_is_opened_anew() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb"), os.fdopen(writing, "wb"):
        traces = open_nonblocking(writing)

        assert traces is not None
        assert not os.get_blocking(traces.fileno())
        assert os.get_blocking(writing), "others share it"
        traces.close()
