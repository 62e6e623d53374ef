"""What others write to standard error goes the way of the log, and is waited for by nobody."""

import os
import sys
import threading
import time
import traceback

import pytest

from gcsched.standard_error import redirected, without_waiting
from tests.waiting import until


def divide_by(number: int) -> float:
    return 1 / number


async def test_libraries_and_tracebacks_are_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading, "excepthook", threading.__excepthook__)  # pytest has its own
    heard: list[str] = []
    with redirected(heard.append):
        os.write(2, b"E0000 01:02:03 1 chttp2_transport.cc:1] words of C\n")
        await until(lambda: len(heard) == 1)
        traceback.print_exception(ZeroDivisionError())
        await until(lambda: len(heard) == 2)
        threading.Thread(target=divide_by, args=(0,), name="dying").start()
        await until(lambda: len(heard) == 3)

    assert heard[0].endswith("words of C")
    assert heard[1] == "ZeroDivisionError"
    assert "in thread dying" in heard[2].splitlines()[0]
    assert heard[2].splitlines()[-1].startswith("ZeroDivisionError")


def test_afterwards_all_is_as_before() -> None:
    stream, before = sys.stderr, os.fstat(2)

    with redirected(lambda _: None):
        assert os.fstat(2) != before

    assert sys.stderr is stream
    assert (os.fstat(2).st_dev, os.fstat(2).st_ino) == (before.st_dev, before.st_ino)
    assert "standard error" not in {thread.name for thread in threading.enumerate()}


def test_a_flood_while_nothing_is_read_holds_up_nobody() -> None:
    hold = threading.Event()

    def on_text(_: str) -> None:
        hold.wait(10)

    with redirected(on_text):
        begun = time.perf_counter()
        for _ in range(200):
            sys.stderr.write("x" * 65_536)
        seconds = time.perf_counter() - begun
        hold.set()

    assert seconds < 1


@pytest.mark.skipif(sys.platform != "linux", reason="descriptors are opened again by /proc")
def test_what_must_not_wait_gets_an_opening_of_its_own() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb"), os.fdopen(writing, "wb"):
        traces = without_waiting(writing)

        assert traces is not None
        assert not os.get_blocking(traces.fileno())
        assert os.get_blocking(writing), "others share it"
        traces.close()
