"""Runs forks of the program for shells, which call it by tests/support/forwarding.py."""

import json
import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from threading import Thread

from tests.support.forks import Fork, Streams
from tests.support.forwarding import MAX_CALL_OCTETS


@contextmanager
def forks_for_shells() -> Iterator[Path]:
    """Serve calls at a socket, one at a time, until the block ends; yield its path."""
    with tempfile.TemporaryDirectory(prefix="gcsched-test-") as folder:
        path = Path(folder) / "forks"
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
            listener.listen()
            server = Thread(target=serve, args=(listener,), daemon=True)
            server.start()
            yield path
            listener.shutdown(socket.SHUT_RDWR)
            server.join()


def serve(listener: socket.socket) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:  # the block has ended
            return
        with connection:
            connection.sendall(str(run_call(connection)).encode())


def run_call(connection: socket.socket) -> int:
    text, streams, _, _ = socket.recv_fds(connection, MAX_CALL_OCTETS, 3)
    while more := connection.recv(MAX_CALL_OCTETS):
        text += more
    call = json.loads(text)
    fork = Fork(
        call["arguments"],
        call["environment"],
        Streams(input=streams[0], output=streams[1], errors=streams[2]),
        before=partial(os.chdir, call["environment"]["PWD"]),
    )
    for each in streams:
        os.close(each)
    return fork.wait()
