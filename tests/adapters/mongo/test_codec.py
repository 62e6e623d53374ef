"""The codec of jobs. Oracle: the job that was stored, and the driver's BSON."""

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import bson
import pytest
from bson.raw_bson import RawBSONDocument
from hypothesis import example, given
from hypothesis import strategies as st
from pymongo.collection import Collection

from gcsched.adapters.mongo.claims import MongoClaims
from gcsched.adapters.mongo.codec import decode, encode
from gcsched.adapters.mongo.connection import Mongo
from gcsched.domain.access import ANYONE
from gcsched.errors import InvalidRequest
from tests.support.builders import (
    NOW,
    a_claimed_job,
    a_job,
    a_job_factory,
    a_request,
    an_attempt,
)
from tests.support.clocks import SECOND
from tests.support.rows import Row

PAST = datetime(2025, 7, 1, 12, tzinfo=UTC)

ODD = st.sampled_from("\ufffd\uffff\ufffe\ufdd0\u0301\ue000\U0010ffff\U0001f600aZ.'ß")
TEXTS = st.text(ODD | st.characters(), min_size=1, max_size=12)
ADDRESSES = TEXTS.map(lambda local: f"{local}@example.org")


@given(TEXTS, ADDRESSES, ADDRESSES, TEXTS, st.dictionaries(TEXTS, TEXTS, max_size=3))
@example("E1", "a\ufffd@example.org", "a\uffff@example.org", "x", {})
@example("E1", "a\uffff@example.org", "", "x", {})
def test_accepted_jobs_can_be_decoded(
    empid: str, email: str, reply_to: str, text: str, labels: dict[str, str]
) -> None:
    factory = a_job_factory()
    good = {"empid": empid, "email": email, "reply_to": reply_to}
    others: tuple[dict[str, Any], ...] = (
        {"message": text, "name": text},
        {"labels": labels},
        {"request_id": text},
    )
    # Each field alone: a refused one must not hide the others.
    for fields in (*({name: value} for name, value in good.items()), *others):
        with suppress(InvalidRequest):
            job = factory.create(a_request(**fields), now=NOW, client=ANYONE)
            assert decode(encode(job)) == job


@pytest.mark.parametrize(("client", "field"), [("", "request_id"), ("hr", "own_request_id")])
def test_a_request_id_of_a_client_is_stored_apart(client: str, field: str) -> None:
    job = a_job(request_id="R", client=client)

    document = encode(job)

    assert decode(document) == job
    assert {name: document[name] for name in document if name.endswith("request_id")} == {
        field: "R"
    }


async def test_invalid_utf8_is_distinguished_from_a_replacement_character(
    mongo: Mongo, jobs: Collection[Row]
) -> None:
    """An older version accepted U+FFFD in an address, so such a job is sent."""
    accepted = encode(
        a_job(id="accepted", dedup_key="1", due_time=PAST, email="a\ufffd@example.org")
    )
    octets = bson.encode(
        encode(a_job(id="lost", dedup_key="2", due_time=PAST, email="abc@example.org"))
    )
    jobs.insert_one(accepted)
    lost: Any = RawBSONDocument(octets.replace(b"abc@", b"a\xff\xfe@"))
    jobs.insert_one(lost)

    batch = await MongoClaims(mongo=mongo).claim("token", 10, now=PAST)

    assert [(job.id, job.email) for job in batch.jobs] == [("accepted", "a\ufffd@example.org")]
    assert jobs.find_one({"_id": "lost"}, {"state": 1}) == {"_id": "lost", "state": "UNREADABLE"}


def test_times_that_are_read_without_a_time_zone_are_utc() -> None:
    tried = an_attempt(start_time=NOW - SECOND, end_time=NOW)
    job = a_claimed_job(begun=NOW, date=PAST, dedup_until=NOW, attempts=(tried,))
    read = bson.decode(bson.encode(encode(job)))

    assert read["due"].tzinfo is None
    assert decode(read) == job


@pytest.mark.parametrize("name", ["email", "reply_to", "sender"])
def test_an_address_with_lost_octets_is_reported_by_its_field(name: str) -> None:
    with pytest.raises(TypeError, match=f"its field {name} holds octets that are not UTF-8"):
        decode(encode(a_job()) | {name: "a\uffff@example.org"})


def test_a_job_without_a_sender_is_stored_as_before() -> None:
    document = encode(a_job(template="party"))

    assert (document["template"], "sender" in document) == ("party", False)


def test_a_job_with_a_sender_cannot_be_read_by_a_version_that_knows_none() -> None:
    """It would send the job from another address. That version takes a text for a template."""
    job = a_job(sender="payroll@example.org", template="party")

    document = encode(job)

    assert decode(document) == job
    assert document["sender"] == "payroll@example.org"
    assert document["template"] == ["party"]
    by_hand = {**document, "template": "party"}
    assert decode(by_hand) == job


@pytest.mark.parametrize(
    "fields",
    [
        {"template": ["doc"]},
        *({"sender": "p@example.org", "template": each} for each in ([], ["doc", "b"], [1], 1)),
        {"sender": "p@example.org", "template": ["x" * 70_000]},
    ],
)
def test_another_array_is_not_a_template(fields: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="its field template is"):
        decode(encode(a_job()) | fields)
