"""The codec of revisions, within a job. Oracle: the job that was stored, and the driver's BSON."""

from typing import Any

import bson
import pytest
from bson.codec_options import CodecOptions
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from gcsched.adapters.mongo.codec import DECODE_ERRORS, decode, encode
from gcsched.domain.meeting import Person
from gcsched.domain.meeting_mail import MeetingMail, Purpose, Role
from tests.support.builders import a_job, a_revision, an_invitation

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
AWARE: CodecOptions[dict[str, Any]] = CodecOptions(tz_aware=True)


def store(document: dict[str, Any]) -> dict[str, Any]:
    return bson.decode(bson.encode(document), AWARE)


@given(TEXTS, TEXTS, TEXTS, TEXTS)
def test_a_stored_invitation_is_read_back(one: str, other: str, more: str, most: str) -> None:
    revision = replace(
        a_revision(summary=f"Review {one}", sent_by="no-reply@example.net"),
        location=other,
        description=more,
        organizer=Person(email="ada@example.com", name=most),
    )
    job = an_invitation(meeting=MeetingMail(revision=revision))

    assert decode(store(encode(job))) == job


@pytest.mark.parametrize("purpose", list(Purpose))
def test_what_a_mail_says_beside_its_revision_is_read_back(purpose: Purpose) -> None:
    mail = MeetingMail(
        revision=a_revision(number=3, sequence=2, guests=(Person(email="bob@example.org"),)),
        purpose=purpose,
        role=Role.OPTIONAL,
        references="first@example.net",
        earlier=a_revision(),
        is_removal=purpose is Purpose.CANCELLATION,
        invited_count=2,
    )
    job = an_invitation(meeting=mail)

    assert decode(store(encode(job))) == job


def test_a_job_without_an_invitation_is_stored_as_before() -> None:
    document = encode(a_job())

    assert document["template"] == "doc"
    assert not {"invitation", "invitation_template"} & set(document)


def test_a_version_without_invitations_cannot_read_the_job() -> None:
    """It requires the field `template` of each job, and quarantines a job without it."""
    document = encode(an_invitation())

    assert "template" not in document
    assert document["invitation_template"] == "invitation"


@pytest.mark.parametrize("name", sorted(encode(an_invitation())["invitation"]))
def test_a_damaged_field_is_named(name: str) -> None:
    """The whole document is then unreadable, so that no mail leaves without its meeting."""
    document = encode(an_invitation())
    odd: Any
    for odd in (None, 1.5, [], {}, b"x", "x" * 70_000, -1):
        damaged = {**document, "invitation": {**document["invitation"], name: odd}}
        with pytest.raises(DECODE_ERRORS):
            decode(store(damaged))
    del document["invitation"][name]
    with pytest.raises(KeyError, match=name):
        decode(store(document))


@pytest.mark.parametrize("odd", [1, [], "x", True, {}])
def test_a_damaged_invitation_is_no_plain_mail(odd: object) -> None:
    with pytest.raises(DECODE_ERRORS):
        decode(store(encode(an_invitation()) | {"invitation": odd}))


@pytest.mark.parametrize(
    "fields",
    [
        {"start_wall": "2027-01-05T09:00+01:00"},
        {"end_wall": "tomorrow"},
        {"summary": "  "},
        {"end": a_revision().start},
        {"organizer": "a\uffff@example.net"},
    ],
)
def test_a_revision_that_cannot_be_is_unreadable(fields: dict[str, Any]) -> None:
    document = encode(an_invitation())

    with pytest.raises(DECODE_ERRORS):
        decode(document | {"invitation": document["invitation"] | fields})
