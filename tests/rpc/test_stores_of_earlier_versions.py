"""Stores that an earlier version filled: everything in them is found as it was.

tests/generate/filled_stores.py wrote the files: documents, indexes, and the answers of that
version's service, octet for octet. The names of the contract changed since, its numbers did not.
"""

import base64
from collections.abc import AsyncIterator, Awaitable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from bson import json_util
from google.protobuf.message import Message
from pymongo.database import Database

from gcsched.adapters.mongo.codec import decode, encode
from gcsched.adapters.mongo.connection import Mongo
from gcsched.adapters.mongo.job_changes import MongoJobChanges
from gcsched.adapters.mongo.job_reader import MongoJobList, MongoJobReader
from gcsched.adapters.mongo.pauses import MongoPauses
from gcsched.adapters.mongo.recipients import MongoPersonalData
from gcsched.adapters.mongo.suppressions import MongoSuppressions
from gcsched.pb import task_pb2
from gcsched.rpc.methods.jobs import ReadJobMethods
from gcsched.rpc.methods.recipients import RecipientMethods
from gcsched.rpc.methods.status import pause_message
from gcsched.rpc.methods.suppressions import SuppressionMethods
from gcsched.usecases.audited_acts import AuditedRecipients, AuditedSuppressions
from gcsched.usecases.management.read_jobs import ReadJobs
from gcsched.usecases.management.recipients import ManageRecipients
from gcsched.usecases.management.suppressions import ManageSuppressions
from tests.support.audits import an_audit
from tests.support.builders import FixedClock
from tests.support.clocks import SECOND
from tests.support.handler_server import serve_handlers
from tests.support.rows import Row
from tests.support.service_process import Stub

FILES = sorted(Path(__file__).parent.glob("stores_of_*.json"))
ALL_STATES = set(task_pb2.Job.State.keys()) - {"STATE_UNSPECIFIED"}


@pytest.fixture(params=FILES, ids=lambda path: path.stem)
def old_stores(request: pytest.FixtureRequest) -> dict[str, Any]:
    loaded: dict[str, Any] = json_util.loads(request.param.read_text(encoding="utf-8"))
    return loaded


@pytest.fixture
def database(old_stores: Mapping[str, Any], mongo: Mongo, raw: Database[Row]) -> Database[Row]:
    """Return the test's database with the documents of the earlier version in it."""
    del mongo  # its indexes are there
    for name, store in old_stores["stores"].items():
        raw[name].insert_many(store["documents"])
    return raw


@pytest.fixture
async def stub(mongo: Mongo, old_stores: Mapping[str, Any]) -> AsyncIterator[Stub]:
    now = FixedClock(latest_time(old_stores))
    suppressions = ManageSuppressions(
        store=MongoSuppressions(mongo=mongo),
        jobs=MongoJobChanges(mongo=mongo, retention=SECOND),
        default_duration=SECOND,
        now=now,
    )
    reader = ReadJobs(reader=MongoJobReader(), job_list=MongoJobList(mongo=mongo))
    recipients = ManageRecipients(data=MongoPersonalData(mongo=mongo), now=now)
    audit = an_audit(mongo, now)
    async with serve_handlers(
        ReadJobMethods(read=reader),
        RecipientMethods(
            recipients=recipients, erasing=AuditedRecipients(audit=audit, recipients=recipients)
        ),
        SuppressionMethods(
            suppressions=suppressions,
            changing=AuditedSuppressions(audit=audit, suppressions=suppressions),
            now=now,
        ),
    ) as stub:
        yield stub


def latest_time(old_stores: Mapping[str, Any]) -> datetime:
    """Return when the stores were kept: the time of the pause, which came last."""
    [pause] = old_stores["stores"]["runs"]["documents"]
    started = pause["started"]
    assert isinstance(started, datetime)
    return started


def ask(stub: Stub, question: str) -> Awaitable[Message]:
    method, _, about = question.partition(" ")
    match method:
        case "GetJob":
            return stub.GetJob(task_pb2.GetJobRequest(job_id=about))
        case "GetRecipient":
            return stub.GetRecipient(task_pb2.GetRecipientRequest(empid=about))
        case "GetSuppression":
            return stub.GetSuppression(task_pb2.GetSuppressionRequest(email=about))
        case "ListSuppressions":
            return stub.ListSuppressions(task_pb2.ListSuppressionsRequest())
        case "CountJobs":
            job_filter = task_pb2.JobFilter(state=about)
            return stub.CountJobs(task_pb2.CountJobsRequest(filter=job_filter))
        case "ListJobs":
            job_filter = task_pb2.JobFilter(state=about)
            return stub.ListJobs(
                task_pb2.ListJobsRequest(filter=job_filter, page_size=1, view=task_pb2.Job.FULL)
            )
    raise AssertionError(question)


@pytest.mark.usefixtures("database")
async def test_each_question_is_answered_as_by_the_version_that_filled_the_stores(
    stub: Stub, old_stores: Mapping[str, Any]
) -> None:
    questions = [name for name in old_stores["answers"] if name != "Pause"]

    answers = {name: await ask(stub, name) for name in questions}

    for name, answer in answers.items():
        before = type(answer).FromString(base64.b64decode(old_stores["answers"][name]))
        assert answer == before, name
    jobs = [answer for answer in answers.values() if isinstance(answer, task_pb2.Job)]
    assert {task_pb2.Job.State.Name(job.state) for job in jobs} == ALL_STATES


@pytest.mark.usefixtures("database")
async def test_the_pause_is_still_there(mongo: Mongo, old_stores: Mapping[str, Any]) -> None:
    pause = await MongoPauses(mongo=mongo).get()

    assert pause is not None
    assert pause_message(pause) == task_pb2.Pause.FromString(
        base64.b64decode(old_stores["answers"]["Pause"])
    )


def test_the_indexes_have_the_names_and_keys_that_they_had(
    database: Database[Row], old_stores: Mapping[str, Any]
) -> None:
    for name, store in old_stores["stores"].items():
        now = {each: index["key"] for each, index in database[name].index_information().items()}
        before = {each: as_pairs(index["key"]) for each, index in store["indexes"].items()}
        if name == "jobs":
            del before["lease"]  # no statement uses it any more (ADR 0033)
            for index in (*INDEXES_OF_CLIENTS, "invitation_meeting_id"):  # nor meetings
                now.pop(index, None)
        assert now == before, name


INDEXES_OF_CLIENTS = (
    "client_id",
    "client_state_due_id",
    "own_request_id_client",
    "own_request_id_id",
)
"""Their stores had no clients (ADR 0039)."""


def as_pairs(keys: list[list[Any]]) -> list[tuple[str, Any]]:
    return [(field, direction) for field, direction in keys]


def test_each_job_is_stored_again_as_it_was(database: Database[Row]) -> None:
    for document in database["jobs"].find():
        # Claims write the lease, outcomes the time of deletion; neither belongs to the job.
        before = {k: v for k, v in document.items() if k not in {"lease", "delete_after"}}
        assert encode(decode(document)) == before
