"""The codec between meetings and their documents: the only place that maps the names of fields.

A document does not hold what the mails show, but the number of the revision that does. It repeats
what lists are sorted and filtered by. One of the version before has only the fields up to
`delete_after` in `MeetingDocument`; the others have defaults.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, cast

from gcsched.adapters.mongo.field_checks import (
    check_address,
    check_optional_texts,
    check_texts,
    decode_count,
    decode_flag,
    decode_member,
    decode_optional_documents,
    decode_optional_time,
    decode_text_map,
    decode_times,
    make_field_error,
)
from gcsched.adapters.mongo.meeting_mail_fields import PURPOSES
from gcsched.adapters.mongo.meetings.attendee_codec import (
    decode_attendee,
    decode_count_or,
    encode_attendee,
)
from gcsched.domain.event import format_wall
from gcsched.domain.meeting import MeetingRevision
from gcsched.domain.meetings.meeting import (
    MAX_STEPS,
    MailText,
    Meeting,
    MeetingState,
    MeetingStep,
    MeetingTexts,
    Reminder,
)

STATES = {each.value: each for each in MeetingState}
MAX_LISTED = 5_000  # attendees, with those that were removed
MAX_SECONDS = 10**8
OPTIONAL_TEXT_FIELDS = ("client", "sender", "request_id", "own_request_id", "fingerprint")

Document = Mapping[str, Any]


def encode_meeting(meeting: Meeting) -> dict[str, Any]:
    """Return the document of *meeting*, without its retention."""
    revision = meeting.revision
    return {
        "_id": meeting.id,
        "uid": revision.uid,
        "state": meeting.state.value,
        "version": meeting.version,
        "changes": meeting.changes,
        "revision": revision.number,
        "content_revision": meeting.content_revision,
        "sequence": revision.sequence,
        "start": revision.start,
        "end": revision.end,
        "start_wall": format_wall(revision.start_wall),
        "zone": revision.zone,
        "organizer": revision.organizer.email,
        "attendees": [encode_attendee(each) for each in meeting.attendees],
        "invite": meeting.invite_time,
        "created": meeting.create_time,
        "updated": meeting.update_time,
        **encode_optional_fields(meeting),
    }


def encode_optional_fields(meeting: Meeting) -> dict[str, Any]:
    """Return those of OPTIONAL_FIELDS that have a value."""
    fields = {
        "reminders": [encode_reminder(each) for each in meeting.reminders],
        "guests_see": meeting.guests_see_each_other,
        "texts": encode_texts(meeting.texts),
        "labels": dict(meeting.labels),
        "sender": meeting.sender,
        "strict_time": meeting.strict_time,
        "client": meeting.client,
        # Two clients may use the same id, but `request_id` alone has a unique index.
        "own_request_id": meeting.request_id if meeting.client else "",
        "request_id": "" if meeting.client else meeting.request_id,
        "fingerprint": meeting.fingerprint,
        "invite_revision": meeting.invite_revision if meeting.invite_revision != 1 else 0,
        "reminder_revision": meeting.reminder_revision if meeting.reminder_revision != 1 else 0,
        "check": meeting.check_time,
        "steps": [encode_step(each) for each in meeting.steps],
    }
    return {name: value for name, value in fields.items() if value}


OPTIONAL_FIELDS = (
    *("reminders", "guests_see", "texts", "labels", "sender", "strict_time", "client"),
    *("own_request_id", "request_id", "fingerprint", "invite_revision"),
    *("reminder_revision", "check", "steps"),
)
"""The fields that a meeting may lack."""


def encode_reminder(reminder: Reminder) -> dict[str, Any]:
    return {"before": int(reminder.before.total_seconds()), "template": reminder.template}


def encode_texts(texts: MeetingTexts) -> dict[str, Any]:
    mails = {
        purpose.value: {"template": text.template, "subject": text.subject}
        for purpose, text in texts.mails.items()
        if text != MailText()
    }
    parts = {"mails": mails, "variables": dict(texts.variables)}
    return {name: part for name, part in parts.items() if part}


def encode_step(step: MeetingStep) -> dict[str, Any]:
    return {
        "at": step.time,
        "who": step.client,
        "via": step.via,
        "act": step.method,
        "revision": step.revision,
        "reason": step.reason,
    }


def decode_meeting(document: Document, revision: MeetingRevision) -> Meeting:
    """Return the meeting of *document*, whose latest revision is *revision*.

    Raises one of the codec's errors if it is not valid.
    """
    [created] = decode_times(document, ("created",))
    check_texts(document, ("_id",))
    check_optional_texts(document, OPTIONAL_TEXT_FIELDS)
    check_address(document, "sender")
    return Meeting(
        revision=revision,
        state=decode_member(document, "state", STATES),
        version=decode_count(document, "version"),
        changes=decode_count_or(document, "changes", 0),
        content_revision=decode_count_or(document, "content_revision", 1),
        attendees=tuple(map(decode_attendee, decode_list(document, "attendees"))),
        reminders=tuple(map(decode_reminder, decode_optional_documents(document, "reminders"))),
        guests_see_each_other=decode_flag(document, "guests_see"),
        invite_time=decode_optional_time(document, "invite") or created,
        invite_revision=decode_count_or(document, "invite_revision", 1),
        reminder_revision=decode_count_or(document, "reminder_revision", 1),
        texts=decode_texts(document),
        labels=decode_text_map(document, "labels"),
        sender=document.get("sender") or "",
        strict_time=decode_flag(document, "strict_time"),
        client=document.get("client") or "",
        request_id=document.get("own_request_id") or document.get("request_id") or "",
        fingerprint=document.get("fingerprint") or "",
        create_time=created,
        update_time=decode_optional_time(document, "updated") or created,
        check_time=decode_optional_time(document, "check"),
        steps=decode_steps(document),
    )


def decode_list(document: Document, name: str) -> list[Document]:
    value = document[name]
    is_valid = isinstance(value, list) and len(value) <= MAX_LISTED
    if not is_valid or not all(isinstance(each, dict) for each in value):
        raise make_field_error(name, value)
    return cast("list[Document]", value)


def decode_reminder(document: Document) -> Reminder:
    seconds = decode_count(document, "before")
    if not 0 < seconds <= MAX_SECONDS:
        raise make_field_error("before", seconds)
    check_texts(document, ("template",))
    return Reminder(before=timedelta(seconds=seconds), template=document["template"])


def decode_texts(document: Document) -> MeetingTexts:
    stored = decode_optional_document(document, "texts")
    mails = decode_optional_document(stored, "mails")
    return MeetingTexts(
        mails={
            decode_member({"purpose": name}, "purpose", PURPOSES): decode_mail_text(
                decode_optional_document(mails, name)
            )
            for name in mails
        },
        variables=decode_text_map(stored, "variables"),
    )


def decode_mail_text(document: Document) -> MailText:
    check_optional_texts(document, ("template", "subject"))
    return MailText(template=document.get("template") or "", subject=document.get("subject") or "")


def decode_optional_document(document: Document, name: str) -> Document:
    value = document.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise make_field_error(name, value)
    return value


def decode_steps(document: Document) -> tuple[MeetingStep, ...]:
    """Return the readable steps: one that is damaged does not make its meeting unreadable."""
    stored = document.get("steps")
    steps: list[MeetingStep] = []
    for each in stored[-MAX_STEPS:] if isinstance(stored, list) else ():
        try:
            steps.append(decode_step(each))
        except (KeyError, TypeError, ValueError, OverflowError):
            continue
    return tuple(steps)


def decode_step(document: Document) -> MeetingStep:
    if not isinstance(document, dict):
        raise TypeError("a step is not a document")
    [at] = decode_times(document, ("at",))
    check_texts(document, ("who", "via", "act", "reason"))
    return MeetingStep(
        time=at,
        client=document["who"],
        via=document["via"],
        method=document["act"],
        revision=decode_count(document, "revision"),
        reason=document["reason"],
    )
