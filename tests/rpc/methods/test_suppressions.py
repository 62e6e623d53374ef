"""The methods for suppressions, with a real channel and a real MongoDB."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from gcsched.adapters.mongo.connection import Mongo
from gcsched.adapters.mongo.job_changes import MongoJobChanges
from gcsched.adapters.mongo.suppressions import MongoSuppressions
from gcsched.pb import task_pb2
from gcsched.rpc.methods.suppressions import SuppressionMethods
from gcsched.usecases.audited_acts import AuditedSuppressions
from gcsched.usecases.management.suppressions import ManageSuppressions
from tests.support.audits import an_audit
from tests.support.builders import FixedClock, a_suppression
from tests.support.handler_server import read_error_status, serve_handlers
from tests.support.service_process import Stub

# Ahead of every clock, because MongoDB deletes expired documents by its own.
NOW = datetime(2100, 1, 1, tzinfo=UTC)
DEFAULT_DURATION = timedelta(days=30)


@pytest.fixture
async def stub(mongo: Mongo) -> AsyncIterator[Stub]:
    store = MongoSuppressions(mongo=mongo)
    jobs = MongoJobChanges(mongo=mongo, retention=DEFAULT_DURATION)
    suppressions = ManageSuppressions(
        store=store, jobs=jobs, default_duration=DEFAULT_DURATION, now=FixedClock(NOW)
    )
    changing = AuditedSuppressions(
        audit=an_audit(mongo, suppressions.now), suppressions=suppressions
    )
    async with serve_handlers(
        SuppressionMethods(suppressions=suppressions, changing=changing, now=suppressions.now)
    ) as stub:
        yield stub


def to_timestamp(moment: datetime) -> Timestamp:
    return Timestamp(seconds=int(moment.timestamp()))


def an_add_request(**fields: Any) -> task_pb2.AddSuppressionRequest:
    defaults: dict[str, Any] = {"email": "Ada@EXAMPLE.org", "reason": " requested "}
    return task_pb2.AddSuppressionRequest(**{**defaults, **fields})


async def list_suppressions(stub: Stub, **fields: Any) -> task_pb2.ListSuppressionsResponse:
    answer = await stub.ListSuppressions(task_pb2.ListSuppressionsRequest(**fields))
    assert isinstance(answer, task_pb2.ListSuppressionsResponse)
    return answer


async def test_a_domain_that_is_not_public_is_refused_here_but_its_suppression_can_be_removed(
    stub: Stub, mongo: Mongo
) -> None:
    refusal = await read_error_status(stub.AddSuppression(an_add_request(email="ada@corp.local")))
    stored = a_suppression(
        address="ada@corp.local", create_time=NOW, expire_time=NOW + DEFAULT_DURATION
    )
    await MongoSuppressions(mongo=mongo).add_one(stored)

    removed = await stub.RemoveSuppression(
        task_pb2.RemoveSuppressionRequest(email="ada@CORP.local")
    )

    assert refusal.code is grpc.StatusCode.INVALID_ARGUMENT
    assert "GCSCHED_INTERNAL_DOMAINS" in refusal.violations["email"]
    assert removed.suppression.email == "ada@corp.local"


async def test_a_suppression_is_added_listed_and_removed(stub: Stub) -> None:
    added = await stub.AddSuppression(an_add_request())
    listed = await list_suppressions(stub)
    removed = await stub.RemoveSuppression(
        task_pb2.RemoveSuppressionRequest(email="Ada@Example.ORG")
    )

    assert added == task_pb2.Suppression(
        email="Ada@example.org",
        reason="requested",
        create_time=to_timestamp(NOW),
        expire_time=to_timestamp(NOW + DEFAULT_DURATION),
    )
    assert list(listed.suppressions) == [added]
    assert removed.suppression == added
    assert list((await list_suppressions(stub)).suppressions) == []


async def test_the_expire_time_can_be_set_and_changed(stub: Stub) -> None:
    await stub.AddSuppression(an_add_request())

    changed = await stub.AddSuppression(
        an_add_request(expire_time=to_timestamp(NOW + timedelta(seconds=1)))
    )

    assert changed.expire_time == to_timestamp(NOW + timedelta(seconds=1))


async def test_the_job_that_caused_the_suppression_is_named(stub: Stub, mongo: Mongo) -> None:
    caused = a_suppression(expire_time=NOW + DEFAULT_DURATION)
    await MongoSuppressions(mongo=mongo).add([caused])

    [suppression] = (await list_suppressions(stub)).suppressions

    assert (suppression.job_id, suppression.reason) == ("job-0", "550 5.1.1 at RCPT: no such user")


async def test_removing_a_missing_suppression_is_not_found(stub: Stub) -> None:
    request = task_pb2.RemoveSuppressionRequest(email="ada@example.org")

    refusal = await read_error_status(stub.RemoveSuppression(request))

    assert refusal.code is grpc.StatusCode.NOT_FOUND
    assert refusal.reason == "SUPPRESSION_NOT_FOUND"


async def test_all_violations_are_reported(stub: Stub) -> None:
    refusal = await read_error_status(
        stub.AddSuppression(
            an_add_request(email="no-at-sign", reason=" ", expire_time=to_timestamp(NOW))
        )
    )

    assert refusal.code is grpc.StatusCode.INVALID_ARGUMENT
    assert set(refusal.violations) == {"email", "reason", "expire_time"}


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"reason": "x" * 257}, "reason"),
        ({"reason": "a\nb"}, "reason"),
        ({"email": ""}, "email"),
        ({"expire_time": Timestamp(seconds=2**60)}, "expire_time"),
    ],
)
async def test_values_out_of_bounds_are_refused(
    stub: Stub, fields: dict[str, Any], wrong: str
) -> None:
    refusal = await read_error_status(stub.AddSuppression(an_add_request(**fields)))

    assert set(refusal.violations) == {wrong}


async def test_an_address_whose_suppression_is_removed_must_be_valid(stub: Stub) -> None:
    refusal = await read_error_status(stub.RemoveSuppression(task_pb2.RemoveSuppressionRequest()))

    assert set(refusal.violations) == {"email"}


async def test_pages_are_alphabetical_and_lead_to_the_end(stub: Stub) -> None:
    names = ["zoë", "ada", "bob", "eve", "dan"]
    for name in names:
        await stub.AddSuppression(an_add_request(email=f"{name}@example.org"))

    pages, token = [], None
    while token != "":
        page = await list_suppressions(stub, page_size=2, page_token=token or "")
        pages.append([each.email.partition("@")[0] for each in page.suppressions])
        token = page.next_page_token

    assert pages == [["ada", "bob"], ["dan", "eve"], ["zoë"]]


async def test_a_wrong_page_is_refused(stub: Stub) -> None:
    wrong = task_pb2.ListSuppressionsRequest(page_size=-1, page_token="garbage")

    refusal = await read_error_status(stub.ListSuppressions(wrong))

    assert set(refusal.violations) == {"page_size", "page_token"}


async def test_an_address_that_looks_like_another_is_not_suppressed_in_its_place(
    stub: Stub,
) -> None:
    request = an_add_request(email="ada\u3164@example.org")

    refusal = await read_error_status(stub.AddSuppression(request))

    assert refusal.code is grpc.StatusCode.INVALID_ARGUMENT
    assert set(refusal.violations) == {"email"}
    assert list((await list_suppressions(stub)).suppressions) == []


@pytest.mark.parametrize("spelling", ["ada@example.org", "ADA@Example.Org"])
async def test_a_suppression_is_read_by_any_spelling_of_its_address(
    stub: Stub, spelling: str
) -> None:
    added = await stub.AddSuppression(an_add_request())

    found = await stub.GetSuppression(task_pb2.GetSuppressionRequest(email=spelling))

    assert found == added


async def test_an_address_that_gets_mail_has_no_suppression(stub: Stub) -> None:
    expired = an_add_request(
        email="past@example.org", expire_time=to_timestamp(NOW + timedelta(seconds=1))
    )
    await stub.AddSuppression(expired)
    request = task_pb2.GetSuppressionRequest(email="ada@example.org")

    refusal = await read_error_status(stub.GetSuppression(request))
    wrong = await read_error_status(
        stub.GetSuppression(task_pb2.GetSuppressionRequest(email="no-at-sign"))
    )

    assert (refusal.code, refusal.reason) == (grpc.StatusCode.NOT_FOUND, "SUPPRESSION_NOT_FOUND")
    assert set(wrong.violations) == {"email"}
