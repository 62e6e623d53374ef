"""The methods for recipients, with a real channel and a real MongoDB."""

from collections.abc import AsyncIterator

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from gcsched.adapters.mongo.codec import encode
from gcsched.adapters.mongo.connection import Mongo
from gcsched.adapters.mongo.job_reader import MongoJobList, MongoJobReader
from gcsched.adapters.mongo.recipient_writer import MongoRecipients
from gcsched.adapters.mongo.recipients import MongoPersonalData
from gcsched.domain.job import State
from gcsched.pb import task_pb2
from gcsched.rpc.methods.jobs import ReadJobMethods
from gcsched.rpc.methods.recipients import RecipientMethods
from gcsched.usecases.audited_acts import AuditedRecipients
from gcsched.usecases.management.read_jobs import ReadJobs
from gcsched.usecases.management.recipients import ManageRecipients
from tests.support.audits import an_audit
from tests.support.builders import NOON, FixedClock, a_job
from tests.support.handler_server import read_error_status, serve_handlers
from tests.support.service_process import Stub

GET = task_pb2.GetRecipientRequest(empid="E1")
FORGET = task_pb2.ForgetRecipientRequest(empid="E1")


@pytest.fixture
async def stub(mongo: Mongo) -> AsyncIterator[Stub]:
    recipients = ManageRecipients(data=MongoPersonalData(mongo=mongo), now=FixedClock())
    read = ReadJobs(reader=MongoJobReader(), job_list=MongoJobList(mongo=mongo))
    erasing = AuditedRecipients(audit=an_audit(mongo), recipients=recipients)
    async with serve_handlers(
        RecipientMethods(recipients=recipients, erasing=erasing), ReadJobMethods(read=read)
    ) as stub:
        yield stub


async def test_details_from_callers_are_read(stub: Stub, mongo: Mongo) -> None:
    await MongoRecipients(mongo=mongo).save([a_job(), a_job()])

    assert await stub.GetRecipient(GET) == task_pb2.Recipient(
        empid="E1",
        name="Ada",
        email="ada@example.org",
        first_seen_time=Timestamp(seconds=NOON),
        last_seen_time=Timestamp(seconds=NOON),
        accepted_count=2,
    )


@pytest.mark.parametrize("empid", ["E1", "Zoë", "名" * 128])
async def test_an_unknown_employee_is_not_found(stub: Stub, empid: str) -> None:
    refusal = await read_error_status(stub.GetRecipient(task_pb2.GetRecipientRequest(empid=empid)))

    assert refusal.code is grpc.StatusCode.NOT_FOUND
    assert refusal.reason == "RECIPIENT_NOT_FOUND"
    assert refusal.metadata == {"empid": empid}


async def test_a_forgotten_employee_leaves_finished_jobs_that_say_so(
    stub: Stub, mongo: Mongo
) -> None:
    await MongoRecipients(mongo=mongo).save([a_job()])
    sent, uncertain = a_job(state=State.SENT), a_job(id="held", state=State.UNCERTAIN)
    others = a_job(id="other", empid="E2", state=State.SENT)
    stored = [encode(job) | {"dedup_key": job.id} for job in (sent, uncertain, others)]
    await mongo.jobs.insert_many(stored)
    before = await stub.GetJob(task_pb2.GetJobRequest(job_id="job-1"))

    forgotten = await stub.ForgetRecipient(FORGET)
    again = await stub.ForgetRecipient(FORGET)

    erased = await stub.GetJob(task_pb2.GetJobRequest(job_id="job-1"))
    held = await stub.GetJob(task_pb2.GetJobRequest(job_id="held"))
    other = await stub.GetJob(task_pb2.GetJobRequest(job_id="other"))
    assert (forgotten.erased_jobs, forgotten.unfinished_jobs) == (1, 1)
    assert (forgotten.details_erased, again.details_erased) == (True, False)
    assert again.HasField("details_erased")
    assert (again.erased_jobs, again.unfinished_jobs) == (0, 1)
    assert (erased.name, erased.email, erased.message) == ("", "", "")
    assert erased.reason == "erased on 2026-07-01"
    assert (erased.state, erased.state_time) == (task_pb2.Job.SENT, Timestamp(seconds=NOON))
    assert erased.etag != before.etag
    assert held.name == other.name == "Ada"
    assert (await read_error_status(stub.GetRecipient(GET))).reason == "RECIPIENT_NOT_FOUND"


async def test_an_unknown_employee_is_forgotten_already(stub: Stub) -> None:
    nothing = task_pb2.ForgetRecipientResponse(details_erased=False)
    assert await stub.ForgetRecipient(FORGET) == nothing


@pytest.mark.parametrize("empid", ["", "x" * 129])
async def test_an_impossible_empid_is_invalid(stub: Stub, empid: str) -> None:
    get = task_pb2.GetRecipientRequest(empid=empid)
    forget = task_pb2.ForgetRecipientRequest(empid=empid)

    refusals = [
        await read_error_status(stub.GetRecipient(get)),
        await read_error_status(stub.ForgetRecipient(forget)),
    ]

    assert [set(each.violations) for each in refusals] == [{"empid"}] * 2
