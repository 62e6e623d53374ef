"""GetJob, ListJobs and CountJobs, with a real channel and a real MongoDB."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from gcsched.adapters.mongo.codec import encode
from gcsched.adapters.mongo.connection import Mongo, open_mongo
from gcsched.adapters.mongo.job_reader import MongoJobList, MongoJobReader
from gcsched.domain.ids import etag_of, new_id
from gcsched.domain.job import Job, Priority, State
from gcsched.domain.job_list import JobOrder
from gcsched.domain.meeting_mail import MeetingMail
from gcsched.domain.smtp_reply import Kind
from gcsched.pb import task_pb2
from gcsched.rpc.methods.jobs import ReadJobMethods
from gcsched.usecases.management.read_jobs import ReadJobs
from tests.support.builders import NOON, NOW, a_job, a_revision, an_attempt, an_invitation
from tests.support.clocks import SECOND
from tests.support.handler_server import read_error_status, serve_handlers
from tests.support.service_process import Stub
from tests.support.stores import own_mongod


@pytest.fixture
async def stub(mongo: Mongo) -> AsyncIterator[Stub]:
    async with serve_handlers(create_handler(mongo)) as stub:
        yield stub


def create_handler(mongo: Mongo) -> ReadJobMethods:
    return ReadJobMethods(
        read=ReadJobs(reader=MongoJobReader(), job_list=MongoJobList(mongo=mongo))
    )


async def insert_jobs(mongo: Mongo, *jobs: Job) -> None:
    await mongo.jobs.insert_many([encode(job) for job in jobs])


def make_jobs(count: int, **others: Any) -> list[Job]:
    """Make *count* jobs, created one after the other."""
    moments = [NOW + number * timedelta(milliseconds=1) for number in range(count)]
    return [
        a_job(**{"id": new_id(moment), "dedup_key": None, "create_time": moment, **others})
        for moment in moments
    ]


def a_list_request(**fields: Any) -> task_pb2.ListJobsRequest:
    """Make a request; *fields* are those of the filter and of the request."""
    names = task_pb2.JobFilter.DESCRIPTOR.fields_by_name
    in_filter = {name: fields.pop(name) for name in tuple(fields) if name in names}
    return task_pb2.ListJobsRequest(filter=task_pb2.JobFilter(**in_filter), **fields)


async def read_all_pages(stub: Stub, **fields: Any) -> list[list[str]]:
    pages, token = [], None
    while token != "":
        page = await stub.ListJobs(a_list_request(page_token=token or "", **fields))
        pages.append([job.job_id for job in page.jobs])
        token = page.next_page_token
    return pages


async def test_a_job_is_read_whole(stub: Stub, mongo: Mongo) -> None:
    refusal = an_attempt(
        kind=Kind.RECIPIENT, code=550, enhanced_code="5.1.1", text="550 5.1.1 at RCPT: no such user"
    )
    job = a_job(
        state=State.FAILED,
        version=4,
        state_time=NOW + SECOND,
        expire_time=NOW + timedelta(days=1),
        template="invitation",
        variables={"room": "A"},
        labels={"team": "red"},
        priority=Priority.URGENT,
        reply_to="host@example.org",
        request_id="r-1",
        reason="550 5.1.1 at RCPT: no such user",
        attempt=2,
        lease_expirations=1,
        attempts=(an_attempt(kind=Kind.RELAY, code=None, relay=""), refusal),
    )
    await insert_jobs(mongo, job)

    answer = await stub.GetJob(task_pb2.GetJobRequest(job_id="job-1"))

    assert answer == task_pb2.Job(
        job_id="job-1",
        state=task_pb2.Job.FAILED,
        etag=etag_of(job),
        empid="E1",
        email="ada@example.org",
        name="Ada",
        message="Stand-up",
        template="invitation",
        variables={"room": "A"},
        labels={"team": "red"},
        priority=task_pb2.URGENT,
        reply_to="host@example.org",
        create_time=Timestamp(seconds=NOON),
        schedule_time=Timestamp(seconds=NOON),
        due_time=Timestamp(seconds=NOON),
        expire_time=Timestamp(seconds=NOON + 86_400),
        state_time=Timestamp(seconds=NOON + 1),
        reason="550 5.1.1 at RCPT: no such user",
        attempt=2,
        lease_expirations=1,
        message_id="job-1@example.org",
        request_id="r-1",
        attempts=[
            task_pb2.Attempt(
                start_time=Timestamp(seconds=NOON),
                end_time=Timestamp(seconds=NOON + 1),
                kind=task_pb2.Attempt.RELAY,
                text="450 at RCPT: busy",
            ),
            task_pb2.Attempt(
                start_time=Timestamp(seconds=NOON),
                end_time=Timestamp(seconds=NOON + 1),
                kind=task_pb2.Attempt.RECIPIENT,
                relay="smtp.example.org",
                code=550,
                enhanced_code="5.1.1",
                text="550 5.1.1 at RCPT: no such user",
            ),
        ],
    )


@pytest.mark.parametrize("state", list(State))
async def test_each_state_has_its_name(stub: Stub, mongo: Mongo, state: State) -> None:
    await insert_jobs(mongo, a_job(state=state))

    answer = await stub.GetJob(task_pb2.GetJobRequest(job_id="job-1"))

    assert task_pb2.Job.State.Name(answer.state) == state.value


async def test_a_job_that_is_not_there_is_not_found(stub: Stub) -> None:
    refusal = await read_error_status(stub.GetJob(task_pb2.GetJobRequest(job_id="job-9")))

    assert refusal.code is grpc.StatusCode.NOT_FOUND
    assert refusal.reason == "JOB_NOT_FOUND"
    assert refusal.metadata == {"job_id": "job-9"}


@pytest.mark.parametrize("job_id", ["", "x" * 129, "x" * 60_000, "a\nb"])
async def test_an_impossible_id_is_invalid(stub: Stub, job_id: str) -> None:
    refusal = await read_error_status(stub.GetJob(task_pb2.GetJobRequest(job_id=job_id)))

    assert refusal.code is grpc.StatusCode.INVALID_ARGUMENT
    assert set(refusal.violations) == {"job_id"}


@pytest.mark.parametrize("field", ["created", "version", "attempts"])
async def test_a_damaged_job_says_so(stub: Stub, mongo: Mongo, field: str) -> None:
    await mongo.jobs.insert_one(encode(a_job()) | {field: "damaged"})

    refusal = await read_error_status(stub.GetJob(task_pb2.GetJobRequest(job_id="job-1")))

    assert (refusal.code, refusal.reason) == (grpc.StatusCode.INTERNAL, "JOB_UNREADABLE")
    assert refusal.metadata == {"job_id": "job-1"}


async def test_a_list_has_the_newest_first_and_no_texts(stub: Stub, mongo: Mongo) -> None:
    jobs = make_jobs(3, variables={"room": "A"}, labels={"team": "red"}, attempts=(an_attempt(),))
    await insert_jobs(mongo, *jobs)

    answer = await stub.ListJobs(task_pb2.ListJobsRequest())

    assert [job.job_id for job in answer.jobs] == [job.id for job in reversed(jobs)]
    assert answer.next_page_token == ""
    for job in answer.jobs:
        assert (job.message, dict(job.variables), list(job.attempts)) == ("", {}, [])
        assert (job.email, dict(job.labels)) == ("ada@example.org", {"team": "red"})


async def test_a_full_list_has_the_fields_of_get_job(stub: Stub, mongo: Mongo) -> None:
    [job] = make_jobs(1, variables={"room": "A"}, attempts=(an_attempt(),))
    await insert_jobs(mongo, job)

    listed = await stub.ListJobs(a_list_request(view=task_pb2.Job.FULL))

    assert list(listed.jobs) == [await stub.GetJob(task_pb2.GetJobRequest(job_id=job.id))]
    assert listed.jobs[0].variables["room"] == "A"


async def test_pages_lead_from_one_to_the_next(stub: Stub, mongo: Mongo) -> None:
    jobs = make_jobs(7, state=State.FAILED)
    await insert_jobs(mongo, *jobs)

    pages = await read_all_pages(stub, state=task_pb2.Job.FAILED, page_size=3)

    ids = [job.id for job in jobs]
    assert pages == [ids[:3], ids[3:6], ids[6:]]


@pytest.mark.parametrize(("page_size", "count"), [(0, 50), (60, 60), (200, 200), (1_000, 200)])
async def test_a_page_has_fifty_jobs_or_the_requested_number_up_to_two_hundred(
    stub: Stub, mongo: Mongo, page_size: int, count: int
) -> None:
    await insert_jobs(mongo, *make_jobs(201))

    answer = await stub.ListJobs(a_list_request(page_size=page_size))

    assert len(answer.jobs) == count
    assert answer.next_page_token


async def test_the_due_range_includes_its_start_and_excludes_its_end(
    stub: Stub, mongo: Mongo
) -> None:
    await insert_jobs(
        mongo, *[a_job(id=f"{n}", dedup_key=None, due_time=NOW + n * SECOND) for n in range(5)]
    )
    between = {
        "due_time_from": Timestamp(seconds=NOON + 1),
        "due_time_before": Timestamp(seconds=NOON + 3),
    }

    up = await read_all_pages(stub, state="SCHEDULED", **between)
    down = await read_all_pages(stub, state="SCHEDULED", order="DUE_TIME_DESC", **between)

    assert (up, down) == ([["1", "2"]], [["2", "1"]])


async def test_an_address_is_found_however_it_is_written(stub: Stub, mongo: Mongo) -> None:
    await insert_jobs(mongo, a_job(email="Ada@example.org"))

    assert await read_all_pages(stub, email="Ada@EXAMPLE.org") == [["job-1"]]
    assert await read_all_pages(stub, email="ADA@example.org") == [["job-1"]]
    assert await read_all_pages(stub, email="adam@example.org") == [[]]


async def test_jobs_of_an_employee(stub: Stub, mongo: Mongo) -> None:
    await insert_jobs(mongo, *make_jobs(2), a_job(id="other", dedup_key=None, empid="E2"))

    assert await read_all_pages(stub, empid="E2") == [["other"]]


async def test_jobs_are_found_by_the_request_id_of_their_caller(stub: Stub, mongo: Mongo) -> None:
    released = {"request_id": "a-uuid", "dedup_key": None}
    await insert_jobs(
        mongo,
        a_job(id="1-failed", state=State.FAILED, **released),
        a_job(id="2-cancelled", state=State.CANCELLED, **released),
        a_job(id="3-holds-it", request_id="a-uuid"),
        a_job(id="another", dedup_key=None, request_id="a-uuid-2"),
        a_job(id="without", dedup_key=None),
    )

    assert await read_all_pages(stub, request_id="a-uuid") == [
        ["3-holds-it", "2-cancelled", "1-failed"]
    ]
    assert await read_all_pages(stub, request_id="unknown") == [[]]
    counted = await stub.CountJobs(
        task_pb2.CountJobsRequest(filter=task_pb2.JobFilter(request_id="a-uuid"))
    )
    assert counted.count == 3


async def test_a_page_that_would_be_too_long_for_a_message_is_shorter(
    stub: Stub, mongo: Mongo
) -> None:
    jobs = make_jobs(200, variables={"text": "x" * 24_000})
    await insert_jobs(mongo, *jobs)

    pages = await read_all_pages(stub, view="FULL", order="CREATE_TIME_ASC", page_size=200)

    assert len(pages) == 2
    assert [job_id for page in pages for job_id in page] == [job.id for job in jobs]


async def test_an_empty_list_is_not_an_error(stub: Stub) -> None:
    assert await read_all_pages(stub) == [[]]


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"page_size": -1}, {"page_size"}),
        ({"page_token": "garbage"}, {"page_token"}),
        ({"empid": "E1", "state": "SENT"}, {"filter"}),
        ({"due_time_from": Timestamp(seconds=NOON)}, {"filter"}),
        ({"empid": "E1", "order": "DUE_TIME_ASC"}, {"order"}),
        ({"state": 99}, {"filter.state"}),
        ({"order": 99}, {"order"}),
        ({"view": 99}, {"view"}),
        ({"email": "no-at-sign"}, {"filter.email"}),
        ({"empid": "E" * 129}, {"filter.empid"}),
        ({"request_id": "ä"}, {"filter.request_id"}),
        ({"request_id": "x" * 129}, {"filter.request_id"}),
        ({"request_id": "a-uuid", "empid": "E1"}, {"filter"}),
        ({"state": 1, "due_time_from": Timestamp(seconds=2**62)}, {"filter.due_time_from"}),
        ({"state": 1, "due_time_before": Timestamp(nanos=-1)}, {"filter.due_time_before"}),
        (
            {"state": -1, "order": -1, "view": -1, "page_size": -1},
            {"filter.state", "order", "view", "page_size"},
        ),
    ],
)
async def test_all_violations_are_reported(
    stub: Stub, fields: dict[str, Any], wrong: set[str]
) -> None:
    refusal = await read_error_status(stub.ListJobs(a_list_request(**fields)))

    assert (refusal.code, refusal.reason) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "INVALID_REQUEST",
    )
    assert set(refusal.violations) == wrong


async def test_a_token_of_another_list_is_invalid(stub: Stub, mongo: Mongo) -> None:
    await insert_jobs(mongo, *make_jobs(3))
    token = (await stub.ListJobs(a_list_request(page_size=1))).next_page_token

    refusals = [
        await read_error_status(stub.ListJobs(a_list_request(page_token=token, **others)))
        for others in ({"order": "CREATE_TIME_ASC"}, {"empid": "E1"}, {"state": "SCHEDULED"})
    ]

    assert [set(each.violations) for each in refusals] == [{"page_token"}] * 3
    same = await stub.ListJobs(a_list_request(page_token=token, order="CREATE_TIME_DESC"))
    assert len(same.jobs) == 2


async def test_a_count_is_of_the_filter(stub: Stub, mongo: Mongo) -> None:
    await insert_jobs(mongo, *make_jobs(3), *make_jobs(2, state=State.SENT))

    counted = await stub.CountJobs(
        task_pb2.CountJobsRequest(filter=task_pb2.JobFilter(state="SENT"))
    )

    assert (counted.count, counted.has_more) == (2, False)
    assert (await stub.CountJobs(task_pb2.CountJobsRequest())).count == 5


async def test_a_count_ends_at_ten_thousand(stub: Stub, mongo: Mongo) -> None:
    await mongo.jobs.insert_many(
        [encode(a_job(dedup_key=None)) | {"_id": f"{n}"} for n in range(10_000)]
    )
    exact = await stub.CountJobs(task_pb2.CountJobsRequest())
    await insert_jobs(mongo, a_job())

    more = await stub.CountJobs(task_pb2.CountJobsRequest())

    assert (exact.count, exact.has_more) == (10_000, False)
    assert (more.count, more.has_more) == (10_000, True)


@pytest.mark.parametrize("order", ["CREATE_TIME_ASC", "CREATE_TIME_DESC"])
async def test_jobs_are_found_by_the_prefix_of_their_ids(
    stub: Stub, mongo: Mongo, order: str
) -> None:
    ids = ["0189", "0190", "019000", "0190a", "0190ff", "0191", "019"]
    await insert_jobs(mongo, *[a_job(id=each, dedup_key=None) for each in ids])

    pages = await read_all_pages(stub, id_prefix="0190", order=order, page_size=2)
    counted = await stub.CountJobs(
        task_pb2.CountJobsRequest(filter=task_pb2.JobFilter(id_prefix="0190"))
    )

    ascending = [["0190", "019000"], ["0190a", "0190ff"]]
    descending = [page[::-1] for page in ascending[::-1]]
    assert pages == (ascending if order == "CREATE_TIME_ASC" else descending)
    assert counted.count == 4


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"id_prefix": "x" * 129}, "filter.id_prefix"),
        ({"id_prefix": "0190", "state": "SENT"}, "filter"),
        ({"id_prefix": "0190", "empid": "E1"}, "filter"),
        ({"meeting_id": "x" * 129}, "filter.meeting_id"),
        ({"meeting_id": "meeting-1", "state": "SENT"}, "filter"),
        ({"meeting_id": "meeting-1", "id_prefix": "0190"}, "filter"),
    ],
)
async def test_an_id_prefix_and_a_meeting_stand_alone_and_are_short(
    stub: Stub, fields: dict[str, Any], wrong: str
) -> None:
    refusal = await read_error_status(stub.ListJobs(a_list_request(**fields)))

    assert set(refusal.violations) == {wrong}


@pytest.mark.parametrize("order", ["CREATE_TIME_ASC", "CREATE_TIME_DESC"])
async def test_jobs_are_found_by_their_meeting(stub: Stub, mongo: Mongo, order: str) -> None:
    of_meeting = [an_invitation(id=each, dedup_key=None) for each in ("1", "2", "3")]
    other = MeetingMail(revision=a_revision(meeting_id="meeting-2"))
    others = [an_invitation(id="4", dedup_key=None, meeting=other), a_job(id="5")]
    await insert_jobs(mongo, *of_meeting, *others)

    pages = await read_all_pages(stub, meeting_id="meeting-1", order=order, page_size=2)
    counted = await stub.CountJobs(
        task_pb2.CountJobsRequest(filter=task_pb2.JobFilter(meeting_id="meeting-1"))
    )

    assert pages == ([["1", "2"], ["3"]] if order == "CREATE_TIME_ASC" else [["3", "2"], ["1"]])
    assert counted.count == 3


async def test_a_count_that_no_index_serves_is_invalid(stub: Stub) -> None:
    unserved = task_pb2.JobFilter(empid="E1", email="ada@example.org")

    refusal = await read_error_status(stub.CountJobs(task_pb2.CountJobsRequest(filter=unserved)))

    assert set(refusal.violations) == {"filter"}
    assert all(order in refusal.violations["filter"] for order in JobOrder)


async def test_a_store_that_is_silent_makes_unavailable_within_the_deadline(tmp_path: Path) -> None:
    async with own_mongod(tmp_path) as mongod, open_mongo(mongod.uri) as mongo:
        await mongo.prepare()
        async with serve_handlers(create_handler(mongo)) as stub:
            mongod.freeze()
            # An answer after its deadline would be DEADLINE_EXCEEDED.
            refusals = await asyncio.gather(
                read_error_status(stub.GetJob(task_pb2.GetJobRequest(job_id="job-1"), timeout=3)),
                read_error_status(stub.ListJobs(a_list_request(), timeout=3)),
                read_error_status(stub.CountJobs(task_pb2.CountJobsRequest(), timeout=3)),
            )
            mongod.resume()

    assert {each.code for each in refusals} == {grpc.StatusCode.UNAVAILABLE}
    assert {each.reason for each in refusals} == {"STORE_UNAVAILABLE"}
