import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import pytest

from gcsched.bench.cancellation import cancel_jobs, finish
from gcsched.bench.failure import BenchFailed
from gcsched.bench.load import Load
from gcsched.bench.progress import LoadProgress
from gcsched.bench.system import RemoteSystem
from gcsched.client import AsyncClient
from gcsched.pb import task_pb2
from tests.support.fake_scheduler import FakeAnswer, FakeScheduler, fake_scheduler
from tests.support.wait import until

DONE = task_pb2.ChangeJobsResponse(count=1)
BUSY = grpc.StatusCode.RESOURCE_EXHAUSTED
REFUSED = grpc.StatusCode.PERMISSION_DENIED


@asynccontextmanager
async def load_for(*answers: FakeAnswer) -> AsyncIterator[tuple[Load, FakeScheduler]]:
    """Yield a load with jobs of two employees, against a service with *answers* to CancelJobs."""
    async with (
        fake_scheduler(CancelJobs=answers) as service,
        AsyncClient(service.target, environment={}) as client,
    ):
        system = RemoteSystem(clients=[client], target=service.target)
        load = Load(system=system, run="ab", domain="bench.test", progress=LoadProgress())
        load.employees |= {"bench-ab-0", "bench-ab-1"}
        yield load, service


@asynccontextmanager
async def silent_client() -> AsyncIterator[AsyncClient]:
    """Yield a client of a port where nothing answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        async with AsyncClient(f"127.0.0.1:{listening.getsockname()[1]}", environment={}) as client:
            yield client


def list_cancelled(service: FakeScheduler) -> list[str]:
    requests = [each for each in service.requests if isinstance(each, task_pb2.ChangeJobsRequest)]
    return [each.filter.empid for each in requests]


async def test_a_call_that_fails_is_repeated_after_those_for_other_employees() -> None:
    async with load_for(BUSY, DONE, DONE) as (load, service):
        await cancel_jobs(load)

    assert list_cancelled(service) == ["bench-ab-0", "bench-ab-1", "bench-ab-0"]
    assert load.progress.done == 2


async def test_jobs_that_are_left_are_named_with_what_to_type() -> None:
    async with load_for(REFUSED, DONE) as (load, service):
        with pytest.raises(BenchFailed) as caught:
            await cancel_jobs(load, BenchFailed("the load failed first"))

    lines = str(caught.value).splitlines()
    assert lines[0] == "the load failed first"
    assert "jobs of 1 employee ids could not be cancelled" in lines[1]
    assert "PERMISSION_DENIED" in lines[1]
    assert lines[2:] == [
        f"  gcsched jobs cancel --empid bench-ab-0 --yes --target {service.target}"
    ]
    assert list_cancelled(service) == ["bench-ab-0", "bench-ab-1"]


async def test_a_service_that_stays_busy_is_not_called_for_ever() -> None:
    async with load_for(BUSY) as (load, service):
        with pytest.raises(BenchFailed, match=r"bench-ab-0(?s:.*)bench-ab-1"):
            await cancel_jobs(load)

    assert len(list_cancelled(service)) == 6


async def test_jobs_are_cancelled_twice_after_a_call_that_was_broken_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gcsched.bench.load.DRAIN_SECONDS", 0.05)
    async with load_for(DONE) as (load, service), silent_client() as client:
        answering, load.system = load.system, RemoteSystem(clients=[client], target="")
        running = asyncio.create_task(load.schedule(1, 1, lambda _: time.time() + 60))
        await until(lambda: load.due_times)
        running.cancel()
        await asyncio.wait([running])
        load.system = answering
        await cancel_jobs(load)

    assert list_cancelled(service)[: len(load.employees)] == sorted(load.employees)
    assert len(list_cancelled(service)) == 2 * len(load.employees)


async def test_a_signal_does_not_break_off_what_cancels_the_jobs() -> None:
    async with load_for(BUSY, DONE) as (load, service):
        ending = asyncio.create_task(finish(cancel_jobs(load)))
        await until(lambda: service.requests)
        ending.cancel()
        await asyncio.wait([ending])

    assert ending.cancelled()
    assert len(list_cancelled(service)) == 3
