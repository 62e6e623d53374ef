"""Refusals of MongoDB: classified by their cause, and without a value, a login or a password."""

from pathlib import Path

import bson.errors
import pytest
from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.errors import (
    AutoReconnect,
    BulkWriteError,
    ConfigurationError,
    ExecutionTimeout,
    NetworkTimeout,
    NotPrimaryError,
    OperationFailure,
    ServerSelectionTimeoutError,
    WriteConcernError,
    WriteError,
    WTimeoutError,
)
from structlog.testing import capture_logs

from gcsched.adapters.mongo.admissions import MongoAdmissions
from gcsched.adapters.mongo.claims import MongoClaims
from gcsched.adapters.mongo.connection import Mongo, open_mongo
from gcsched.adapters.mongo.driver_errors import SENTENCES, Problem, Refusals, classify_error
from gcsched.dev.stores.mongod import MongodOptions
from gcsched.dev.stores.replica_set import Login
from gcsched.errors import StoreRefused
from gcsched.web.metric_definitions import find_admission_label
from tests.support.builders import NOW, a_job
from tests.support.clocks import SECOND
from tests.support.rows import Row
from tests.support.stores import own_mongod

BAD_HINT = "error processing query: hint provided does not correspond to an existing index"
NOT_IN_TIME = [
    AutoReconnect("connection closed"),
    NetworkTimeout("timed out"),
    ServerSelectionTimeoutError("no server"),
    NotPrimaryError("not primary"),
    ExecutionTimeout("time limit", 50),
    WTimeoutError("waiting for replication", 64),
    WriteConcernError("not enough nodes", 100),
    OperationFailure("interrupted", 11600),
    OperationFailure("stepped down", 10107),
    WriteError("conflict", 112),
    BulkWriteError(
        {
            "writeErrors": [{"index": 0, "code": 11000, "errmsg": "E11000"}],
            "writeConcernErrors": [{"code": 64, "errmsg": "waiting"}],
        }
    ),
]
REFUSED = [
    (OperationFailure(BAD_HINT, 2), Problem.INDEX),
    (WriteError(BAD_HINT, 2), Problem.INDEX),
    (OperationFailure("exists with a different name", 85), Problem.INDEX),
    (
        OperationFailure("not authorized to execute command { find: 1 }", 13),
        Problem.PERMISSION,
    ),
    (OperationFailure("Authentication failed.", 18), Problem.PERMISSION),
    (OperationFailure("bad auth", 8000), Problem.PERMISSION),
    (
        OperationFailure("you are over your space quota, using 512 MB of 512 MB", 8000),
        Problem.DISK_FULL,
    ),
    (OperationFailure("no space", 14031), Problem.DISK_FULL),
    (WriteError("too large", 17419), Problem.DOCUMENT),
    (WriteError("$add only supports numeric or date types", 16554), Problem.DOCUMENT),
    (WriteError("cannot increment", 14), Problem.DOCUMENT),
    (BulkWriteError({"writeErrors": [{"index": 3, "code": 14, "errmsg": "x"}]}), "document"),
    (bson.errors.InvalidDocument("cannot encode"), Problem.DOCUMENT),
    (OverflowError("MongoDB can only handle up to 8-byte ints"), Problem.DOCUMENT),
    (UnicodeEncodeError("utf-8", "\udc80", 0, 1, "surrogates"), Problem.DOCUMENT),
    (WriteError("Document failed validation", 121), Problem.VALIDATION),
    (WriteError("User writes blocked", 371), Problem.READ_ONLY),
    (OperationFailure("no such command", 59), Problem.WRONG_KIND),
    (OperationFailure("Unrecognized pipeline stage", 40324), Problem.WRONG_KIND),
    (ConfigurationError("Server at h:1 reports wire version 6, but"), Problem.WRONG_KIND),
    (ConfigurationError('The "kerberos" module must be installed'), Problem.OTHER),
    (OperationFailure("never heard of", 999), Problem.OTHER),
]


@pytest.mark.parametrize("error", NOT_IN_TIME, ids=lambda error: f"{error!r:.60}")
def test_an_error_that_the_next_try_may_cure_is_not_a_refusal(error: Exception) -> None:
    assert classify_error(error) is None


@pytest.mark.parametrize(("error", "problem"), REFUSED, ids=lambda each: f"{each!r:.60}")
def test_refusals_are_classified_by_their_cause(error: Exception, problem: str) -> None:
    assert classify_error(error) == problem


def test_every_problem_has_a_sentence() -> None:
    assert set(SENTENCES) == set(Problem)


def test_a_refusal_is_reported_for_30_seconds_and_logged_once_a_minute() -> None:
    times = iter((0.0, 5.0, 61.0, 61.0, 100.0))
    refusals = Refusals(clock=lambda: next(times))
    error = StoreRefused("claiming due jobs", "permission", "the user may not")

    with capture_logs() as logs:
        for _ in range(3):
            refusals.record(error, "claiming due jobs", OperationFailure("find x@example.org", 13))

    assert refusals.problem == "refuses: the user may not"
    assert refusals.problem is None
    assert [(each["statement"], each["code"]) for each in logs] == [("claiming due jobs", 13)] * 2
    assert "example.org" not in str(logs)


def test_a_refused_request_counts_as_unavailable() -> None:
    refused = StoreRefused("storing the job", "disk_full", "its disk is full")

    assert find_admission_label(refused) == "unavailable"


async def test_a_missing_index_is_reported_as_the_problem(
    mongo: Mongo, jobs: Collection[Row]
) -> None:
    jobs.drop_index("claim")
    nudges: list[None] = []
    mongo.refusals.on_missing_index = lambda: nudges.append(None)
    try:
        with pytest.raises(StoreRefused, match="index") as raised:
            await MongoClaims(mongo=mongo).renew(["token"])
    finally:
        await mongo.prepare()

    assert (raised.value.problem, nudges) == ("index", [None])
    assert mongo.refusals.problem is not None


async def test_missing_permissions_and_blocked_writes_are_reported(tmp_path: Path) -> None:
    login = Login(username="ada", password="p@ss/w:rd%")
    async with own_mongod(tmp_path, MongodOptions(login=login)) as server:
        with MongoClient[Row](server.uri) as driver:
            admin, reader = driver["admin"], {"role": "read", "db": "gcsched"}
            admin.command("createUser", "reader", pwd="s3cret", roles=[reader])
            with capture_logs() as logs:
                ours = server.uri.replace("ada:p%40ss%2Fw%3Ard%25", "reader:s3cret")
                by_reader = await find_refusal(ours)
                by_stranger = await find_refusal(ours.replace("s3cret", "guess"))
                admin.command({"setUserWriteBlockMode": 1, "global": True})
                admin.command("grantRolesToUser", "reader", roles=["readWriteAnyDatabase"])
                blocked = await find_refusal(ours)

    problems = [each.problem for each in (by_reader, by_stranger, blocked)]
    assert problems == ["permission", "permission", "read_only"]
    texts = f"{by_reader} {by_stranger} {blocked} {logs}"
    assert not [word for word in ("s3cret", "guess", "ada@example.org", "reader") if word in texts]
    assert {each["code_name"] for each in logs} >= {"Unauthorized", "AuthenticationFailed"}


async def find_refusal(uri: str) -> StoreRefused:
    async with open_mongo(uri) as mongo:
        with pytest.raises(StoreRefused) as raised:
            await MongoAdmissions(mongo=mongo).admit([a_job(create_time=NOW)], within=30 * SECOND)
    return raised.value
