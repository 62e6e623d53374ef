"""Jobs of other clients, over a real channel and real stores: as if they did not exist."""

import time
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message

from gcsched.pb import task_pb2
from tests.support.handler_server import read_error_status
from tests.support.named_callers import name_callers, name_client
from tests.support.service_process import Stub, a_meet

Outcome = task_pb2.MeetResponse
HOUR = 3600
NO_SUCH_JOB = "0" * 32
METHODS: dict[str, type[Message]] = {
    "GetJob": task_pb2.GetJobRequest,
    "CancelJob": task_pb2.CancelJobRequest,
    "RescheduleJob": task_pb2.RescheduleJobRequest,
    "RetryJob": task_pb2.RetryJobRequest,
    "ResolveJob": task_pb2.ResolveJobRequest,
}


@pytest.fixture(autouse=True)
def clients(monkeypatch: pytest.MonkeyPatch) -> None:
    name_callers(monkeypatch)


async def schedule(
    stub: Stub, client: str, number: int = 1, **fields: Any
) -> task_pb2.MeetResponse:
    due = (int(time.time()) // HOUR + 2) * HOUR
    request = a_meet(number, timestamp=due, **fields)
    answer: task_pb2.MeetResponse = await stub.ScheduleMeet(request, metadata=name_client(client))
    return answer


def a_request(method: str, job_id: str) -> Any:
    more: dict[str, Any] = {"state": task_pb2.Job.SENT} if method == "ResolveJob" else {}
    return METHODS[method](job_id=job_id, **more)


async def read_failure(stub: Stub, method: str, job_id: str, client: str) -> tuple[Any, ...]:
    """Return all that a caller sees of a call that fails, without the id of the job."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await getattr(stub, method)(a_request(method, job_id), metadata=name_client(client))
    error = caught.value
    trailing = [
        (key, value if isinstance(value, str) else value.replace(job_id.encode(), b"ID"))
        for key, value in error.trailing_metadata() or ()
        if key == "grpc-status-details-bin"
    ]
    return error.code(), (error.details() or "").replace(job_id, "ID"), trailing


async def test_a_job_of_another_client_is_answered_like_an_id_that_does_not_exist(
    stub: Stub,
) -> None:
    job_id = (await schedule(stub, "payroll")).job_id
    for method in METHODS:
        of_another = await read_failure(stub, method, job_id, "hr")

        assert of_another[0] is grpc.StatusCode.NOT_FOUND
        assert of_another == await read_failure(stub, method, NO_SUCH_JOB, "hr")

    changed = await stub.CancelJob(a_request("CancelJob", job_id), metadata=name_client("payroll"))
    assert changed.state == task_pb2.Job.CANCELLED
    # It is satisfied now, which another client must not learn either.
    assert (await read_failure(stub, "CancelJob", job_id, "hr"))[0] is grpc.StatusCode.NOT_FOUND


async def test_each_client_has_its_own_jobs_and_request_ids(stub: Stub) -> None:
    tried = await schedule(stub, "hr", request_id="R", validate_only=True)
    first = await schedule(stub, "hr", request_id="R")
    other = await schedule(stub, "payroll", request_id="R")
    again = await schedule(stub, "hr", request_id="R")
    repeated = await schedule(stub, "hr", request_id="R", validate_only=True)

    assert tried.preview.duplicate_of == ""
    assert (first.outcome, other.outcome) == (Outcome.CREATED, Outcome.CREATED)
    assert (again.outcome, again.job_id) == (Outcome.REPLAYED, first.job_id)
    assert repeated.preview.duplicate_of == first.job_id != other.job_id
    by_request_id = task_pb2.ListJobsRequest(filter=task_pb2.JobFilter(request_id="R"))
    all_jobs = await stub.ListJobs(by_request_id)
    own = await stub.ListJobs(by_request_id, metadata=name_client("hr"))
    assert [(job.client, job.request_id) for job in all_jobs.jobs] == [
        ("payroll", "R"),
        ("hr", "R"),
    ]
    assert [job.job_id for job in own.jobs] == [first.job_id]


async def test_a_call_from_before_access_was_controlled_is_answered_with_its_job(
    stub: Stub,
) -> None:
    first = await schedule(stub, "")
    again = await schedule(stub, "hr")
    tried = await schedule(stub, "hr", validate_only=True)

    assert (again.outcome, again.job_id) == (Outcome.REPLAYED, first.job_id)
    assert tried.preview.duplicate_of == first.job_id
    seen = a_request("GetJob", first.job_id)
    failure = await read_error_status(stub.GetJob(seen, metadata=name_client("hr")))
    assert failure.code is grpc.StatusCode.NOT_FOUND
    basic = await stub.GetJob(seen, metadata=name_client("reader"))
    full = await stub.GetJob(seen, metadata=name_client("support"))
    assert (basic.job_id, basic.message) == (first.job_id, "")
    assert full.message == "Scheduled chat number 1"


async def test_lists_counts_and_bulk_changes_are_of_ones_own_jobs(stub: Stub) -> None:
    for number, client in enumerate(("hr", "payroll", "hr", "")):
        await schedule(stub, client, number)
    full = task_pb2.ListJobsRequest(view=task_pb2.Job.FULL)
    other = task_pb2.JobFilter(client="payroll")

    own = await stub.ListJobs(full, metadata=name_client("hr"))
    none = await stub.CountJobs(task_pb2.CountJobsRequest(filter=other), metadata=name_client("hr"))
    seen = await stub.CountJobs(
        task_pb2.CountJobsRequest(filter=other), metadata=name_client("reader")
    )
    refused = await read_error_status(stub.ListJobs(full, metadata=name_client("reader")))
    everything = task_pb2.ChangeJobsRequest(all=True)
    cancelled = await stub.CancelJobs(everything, metadata=name_client("hr"))
    left = await stub.CountJobs(task_pb2.CountJobsRequest())

    assert [job.message for job in own.jobs] == [f"Scheduled chat number {n}" for n in (2, 0)]
    assert (none.count, seen.count) == (0, 1)
    assert (refused.code, refused.reason, refused.metadata) == (
        *(grpc.StatusCode.PERMISSION_DENIED, "SCOPE_MISSING"),
        {"client": "reader", "scope": "content"},
    )
    assert (cancelled.count, left.count) == (2, 4)


async def test_pages_of_ones_own_jobs_lead_from_one_to_the_next(stub: Stub) -> None:
    ids = [(await schedule(stub, ("hr", "payroll")[n % 2], n)).job_id for n in range(6)]
    found, token = list[str](), None
    while token != "":
        request = task_pb2.ListJobsRequest(page_size=1, page_token=token or "")
        page = await stub.ListJobs(request, metadata=name_client("hr"))
        found += [job.job_id for job in page.jobs]
        token = page.next_page_token

    assert found == ids[::2][::-1]
