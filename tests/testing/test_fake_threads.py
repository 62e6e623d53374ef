"""The fake works from many threads and loops at once, starts fast, and leaves nothing behind."""

import asyncio
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from gcsched.client import AsyncClient, Client, DeadlineExceeded
from gcsched.pb import task_pb2
from gcsched.testing import FakeScheduler, threaded_server

# A connection that lives on while its server ends: gRPC writes a line where that is not in order.
OUTLIVED = """
import threading

from gcsched.client import Client
from gcsched.testing import FakeScheduler

for _ in range(20):
    with FakeScheduler() as fake:
        client = Client(fake.target)
        client.schedule_meet(empid="E1", email="ada@example.org", message="Hi", at=1)
    print(threading.active_count(), end="")
    client.close()
"""


def schedule(client: Client, number: int) -> str:
    return client.schedule_meet(
        empid=f"E{number}", email="ada@example.org", message="Hi", at=1
    ).job_id


def find_own_threads() -> set[threading.Thread]:
    """Return the threads of fakes, by the names that they and gRPC's servers give them."""
    return {
        each
        for each in threading.enumerate()
        if each.name.endswith(threaded_server.OWN_THREADS) or each.name.startswith("gcsched-fake")
    }


def test_threads_share_a_fake_and_each_call_is_recorded_once(
    fake: FakeScheduler, client: Client
) -> None:
    fake.fail_next("UNKNOWN", method="GetJob", times=3)

    with ThreadPoolExecutor(16) as pool:
        job_ids = list(pool.map(lambda number: schedule(client, number), range(200)))

    assert {each.job_id for each in fake.scheduled} == set(job_ids)
    assert len(fake.calls) == len(set(job_ids)) == 200


async def test_an_asyncio_and_a_blocking_client_call_one_fake_at_once(fake: FakeScheduler) -> None:
    async def schedule_async(client: AsyncClient, number: int) -> None:
        await client.schedule_meet(
            empid=f"A{number}", email="ada@example.org", message="Hi", at=None
        )

    with Client(fake.target) as blocking:
        async with AsyncClient(fake.target) as client:
            await asyncio.gather(
                asyncio.to_thread(lambda: [schedule(blocking, number) for number in range(50)]),
                *(schedule_async(client, number) for number in range(50)),
            )

    assert len({each.empid for each in fake.scheduled}) == 100


def test_several_fakes_are_independent() -> None:
    with ExitStack() as stack:
        fakes = [stack.enter_context(FakeScheduler()) for _ in range(20)]
        fakes[0].fail("STOPPING")
        for number, each in enumerate(fakes[1:]):
            with Client(each.target) as client:
                schedule(client, number)

        assert len({each.target for each in fakes}) == 20
        assert [len(each.calls) for each in fakes] == [0] + [1] * 19


def test_nothing_is_left_after_the_end() -> None:
    before = find_own_threads()
    for _ in range(10):
        with FakeScheduler() as fake, Client(fake.target) as client:
            target = fake.target
            schedule(client, 1)
            assert find_own_threads() - before  # a thread of an earlier test may end meanwhile

        assert not find_own_threads() - before
        host, _, port = target.rpartition(":")
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((host, int(port)))
    with pytest.raises(RuntimeError, match="not running"):
        _ = fake.target
    fake.close()  # a second time is allowed


def test_an_answer_that_blocks_does_not_keep_the_fake_open(
    fake: FakeScheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threaded_server, "GRACE_SECONDS", 0.05)
    monkeypatch.setattr(threaded_server, "JOIN_SECONDS", 0.05)
    has_begun, may_end = threading.Event(), threading.Event()

    def wait(_: task_pb2.GetStatusRequest) -> task_pb2.StatusReport:
        has_begun.set()
        may_end.wait()
        return task_pb2.StatusReport()

    fake.answer("GetStatus", wait)
    with Client(fake.target, timeout=0.05) as client, pytest.raises(DeadlineExceeded):
        client.call("GetStatus", task_pb2.GetStatusRequest())
    assert has_begun.wait(10)

    fake.close()

    assert not may_end.is_set()
    may_end.set()


def test_a_fake_starts_in_a_few_milliseconds() -> None:
    times = []
    for _ in range(5):
        start = time.perf_counter()
        with FakeScheduler():
            times.append(time.perf_counter() - start)

    assert min(times) < 0.03  # some 2 ms on a quiet machine


def test_a_fake_that_a_client_outlives_leaves_no_thread_and_no_line_on_standard_error() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", OUTLIVED], capture_output=True, text=True, check=True
    )

    assert (done.stdout, done.stderr) == ("1" * 20, "")
