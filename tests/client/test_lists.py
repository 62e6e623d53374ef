"""Lists are read page by page while they are iterated over."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import pytest

from gcsched.client import AsyncClient, CallFailed, Client, ClientClosed, Job
from gcsched.pb import task_pb2
from tests.support.client_calls import MethodCall
from tests.support.fake_scheduler import fake_scheduler

ReadTwo = Callable[[str], Awaitable[list[str]]]


def page(*ids: str, token: str = "") -> task_pb2.ListJobsResponse:
    jobs = [task_pb2.Job(job_id=each) for each in ids]
    return task_pb2.ListJobsResponse(jobs=jobs, next_page_token=token)


PAGES = [page("1", "2", token="a"), page(token="b"), page("3")]


def list_tokens(requests: list[Any]) -> list[str]:
    return [each.page_token for each in requests]


async def test_all_pages_are_read_also_after_an_empty_one(run_method: MethodCall) -> None:
    async with fake_scheduler(ListJobs=PAGES) as server:
        jobs = await run_method(server.target, "list_jobs", empid="E1", page_size=2)

    assert jobs == [Job(job_id=each) for each in ("1", "2", "3")]
    sent: list[Any] = [*server.requests]
    assert list_tokens(sent) == ["", "a", "b"]
    assert {(each.filter.empid, each.page_size) for each in sent} == {("E1", 2)}


async def test_an_error_at_a_later_page_is_raised(run_method: MethodCall) -> None:
    async with fake_scheduler(ListJobs=[PAGES[0], grpc.StatusCode.INTERNAL]) as server:
        with pytest.raises(CallFailed, match="INTERNAL"):
            await run_method(server.target, "list_jobs")


async def test_no_page_is_read_before_it_is_needed() -> None:
    async with fake_scheduler(ListJobs=PAGES) as server, AsyncClient(server.target) as client:
        jobs = client.list_jobs()
        assert server.requests == []
        assert [(await anext(jobs)).job_id, (await anext(jobs)).job_id] == ["1", "2"]
        assert list_tokens(server.requests) == [""]
        assert (await anext(jobs)).job_id == "3"


async def read_blocking(target: str) -> list[str]:
    def read() -> list[str]:
        with Client(target) as client:
            jobs = client.list_jobs()
            found = [next(jobs).job_id]
        with pytest.raises(ClientClosed):
            next(jobs)
        return [*found, *(each.job_id for each in jobs)]

    return await asyncio.to_thread(read)


async def read_async(target: str) -> list[str]:
    async with AsyncClient(target) as client:
        jobs = client.list_jobs()
        found = [(await anext(jobs)).job_id]
    with pytest.raises(ClientClosed):
        await anext(jobs)
    return [*found, *[each.job_id async for each in jobs]]


@pytest.mark.parametrize("read", [read_blocking, read_async])
async def test_a_list_ends_with_an_error_when_its_client_closes(read: ReadTwo) -> None:
    async with fake_scheduler(ListJobs=PAGES) as server:
        assert await read(server.target) == ["1"]


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_a_wrong_argument_is_reported_before_the_first_item(kind: type[Any]) -> None:
    client = kind("127.0.0.1:9")

    with pytest.raises(
        ValueError, match=r"state is 'failed' \(did you mean 'FAILED'\?\); give one"
    ):
        client.list_jobs(state="failed")
    with pytest.raises(TypeError, match=r"'pagesize' \(did you mean 'page_size'\?\)"):
        client.list_jobs(pagesize=9)
    with pytest.raises(ValueError, match="page_size is -1; give an int from 0"):
        client.list_suppressions(page_size=-1)
    with pytest.raises(ValueError, match="timeout is 0; give seconds above 0"):
        client.list_templates(timeout=0)
    with pytest.raises(ValueError, match=r"from_time is .*; give seconds of the years 1 to 9999"):
        client.list_audit(from_time=2**62)
