"""The fields of a job's document that hold what its mail says about a meeting.

`invitation` is the revision that the mail shows. `meeting_mail` holds the rest, and is absent in
the invitation of a request with an event, which the version before this one can read as well.
"""

from collections.abc import Mapping
from typing import Any

from gcsched.adapters.mongo.field_checks import (
    check_texts,
    decode_count,
    decode_flag,
    decode_member,
    make_field_error,
)
from gcsched.adapters.mongo.meeting_document import decode_revision, encode_revision
from gcsched.adapters.mongo.template_field import (
    INVITATION_TEMPLATE_FIELD,
    MEETING_TEMPLATE_FIELD,
)
from gcsched.domain.meeting import MeetingRevision
from gcsched.domain.meeting_mail import MeetingMail, Purpose, Role

REVISION_FIELD = "invitation"
MAIL_FIELD = "meeting_mail"
PURPOSES = {each.value: each for each in Purpose}
ROLES = {each.value: each for each in Role}

Document = Mapping[str, Any]


def encode_meeting_mail(mail: MeetingMail, *, template: str) -> dict[str, Any]:
    """Return the fields of a job that hold *mail*, and the name of its *template*."""
    fields: dict[str, Any] = {REVISION_FIELD: encode_revision(mail.revision)}
    if mail == MeetingMail(revision=mail.revision):
        return fields | {INVITATION_TEMPLATE_FIELD: template}
    details: dict[str, Any] = {
        "purpose": mail.purpose.value,
        "role": mail.role.value,
        "references": mail.references,
    }
    if mail.earlier is not None:
        details["earlier"] = encode_revision(mail.earlier)
    if mail.is_removal:
        details["is_removal"] = True
    if mail.invited_count > 1:
        details["invited_count"] = mail.invited_count
    return fields | {MAIL_FIELD: details, MEETING_TEMPLATE_FIELD: template}


def decode_meeting_mail(job: Document) -> MeetingMail | None:
    """Return what the mail of a *job* says about a meeting; None for a mail without one.

    Raises one of the codec's errors if it is damaged: then the mail must not leave without it.
    """
    revision = decode_optional_revision(job, REVISION_FIELD)
    details = job.get(MAIL_FIELD)
    if details is None:
        return None if revision is None else MeetingMail(revision=revision)
    if revision is None or not isinstance(details, dict):
        raise make_field_error(MAIL_FIELD, details)
    check_texts(details, ("references",))
    return MeetingMail(
        revision=revision,
        purpose=decode_member(details, "purpose", PURPOSES),
        role=decode_member(details, "role", ROLES),
        references=details["references"],
        earlier=decode_optional_revision(details, "earlier"),
        is_removal=decode_flag(details, "is_removal"),
        invited_count=decode_count(details, "invited_count") if "invited_count" in details else 1,
    )


def decode_optional_revision(document: Document, name: str) -> MeetingRevision | None:
    stored = document.get(name)
    if stored is None:
        return None
    if not isinstance(stored, dict):
        raise make_field_error(name, stored)
    return decode_revision(stored)
