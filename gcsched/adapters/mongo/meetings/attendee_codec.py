"""The codec between attendees and their documents within a meeting.

All fields are flat, so that a write can name each of them (`build_change`). One that has no value
is absent. The word is absent while only the job of the attendee knows what became of its mail: in
the meeting of a request with an event, until its outcome is noted.
"""

from collections.abc import Mapping
from typing import Any

from gcsched.adapters.mongo.codec import STATES as JOB_STATES
from gcsched.adapters.mongo.field_checks import (
    check_address,
    check_optional_texts,
    check_texts,
    decode_count,
    decode_flag,
    decode_member,
)
from gcsched.adapters.mongo.meeting_mail_fields import ROLES
from gcsched.domain.address_folding import fold_address
from gcsched.domain.calendar_file import Method
from gcsched.domain.meeting_mail import Role
from gcsched.domain.meetings.meeting import Attendee, Told, Word

TEXT_FIELDS = ("empid", "email", "name", "job_id")
OPTIONAL_TEXT_FIELDS = ("folded", "thread", "delivery_reason", "removal_reason")
CERTAINTIES = {each.value: each for each in Told}
METHODS = {each.value: each for each in Method}

Document = Mapping[str, Any]


def encode_attendee(attendee: Attendee) -> dict[str, Any]:
    document: dict[str, Any] = {
        "empid": attendee.empid,
        "email": attendee.email,
        "folded": fold_address(attendee.email),
        "name": attendee.name,
        "job_id": attendee.job_id,
    }
    if attendee.role is not Role.REQUIRED:
        document["role"] = attendee.role.value
    if attendee.is_removed:
        document["removed"] = True
    if attendee.removed_revision:
        document["removed_revision"] = attendee.removed_revision
    if attendee.removal_reason:
        document["removal_reason"] = attendee.removal_reason
    if attendee.invited_count != 1:
        document["invited"] = attendee.invited_count
    if attendee.invited_revision != 1:
        document["invited_revision"] = attendee.invited_revision
    return document | encode_word(attendee.word) | encode_delivery(attendee)


def encode_word(word: Word) -> dict[str, Any]:
    """Return the fields of *word*; `heard` is the number of the revision that it showed."""
    if word.told is Told.NOTHING:
        return {"told": word.told.value}
    return {
        "told": word.told.value,
        "method": word.method.value,
        "sequence": word.sequence,
        "heard": word.revision,
    }


def encode_delivery(attendee: Attendee) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if attendee.delivery is not None:
        fields["delivery"] = attendee.delivery.value
    if attendee.delivery_reason:
        fields["delivery_reason"] = attendee.delivery_reason
    if attendee.mail_revision:
        fields["shown"] = attendee.mail_revision
    if attendee.thread:
        fields["thread"] = attendee.thread
    return fields


OPTIONAL_FIELDS = (
    *("role", "removed", "removed_revision", "removal_reason", "invited"),
    "invited_revision",
    *("told", "method", "sequence", "heard"),
    *("delivery", "delivery_reason", "shown", "thread"),
)
"""The fields that an attendee may lack."""


def decode_attendee(document: Document) -> Attendee:
    """Return the attendee, with no word where none is noted."""
    check_texts(document, TEXT_FIELDS)
    check_optional_texts(document, OPTIONAL_TEXT_FIELDS)
    check_address(document, "email")
    return Attendee(
        email=document["email"],
        name=document["name"],
        empid=document["empid"],
        role=decode_member(document, "role", ROLES) if "role" in document else Role.REQUIRED,
        is_removed=decode_flag(document, "removed"),
        removed_revision=decode_count_or(document, "removed_revision", 0),
        removal_reason=document.get("removal_reason") or "",
        invited_count=decode_count_or(document, "invited", 1),
        invited_revision=decode_count_or(document, "invited_revision", 1),
        word=decode_word(document),
        job_id=document["job_id"],
        delivery=decode_member(document, "delivery", JOB_STATES)
        if "delivery" in document
        else None,
        delivery_reason=document.get("delivery_reason") or "",
        mail_revision=decode_count_or(document, "shown", 0),
        thread=document.get("thread") or "",
    )


def decode_count_or(document: Document, name: str, default: int) -> int:
    return decode_count(document, name) if name in document else default


def decode_word(document: Document) -> Word:
    if "told" not in document:
        return Word()
    certainty = decode_member(document, "told", CERTAINTIES)
    if certainty is Told.NOTHING:
        return Word()
    return Word(
        told=certainty,
        method=decode_member(document, "method", METHODS),
        sequence=decode_count(document, "sequence"),
        revision=decode_count(document, "heard"),
    )


def has_noted_word(document: Document) -> bool:
    """Return whether the meeting knows the word of the attendee; else its job may know."""
    return document.get("told") is not None
