"""The codec between revisions of meetings and their documents, within a job and on their own."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from gcsched.adapters.mongo.field_checks import (
    check_address,
    check_optional_texts,
    check_texts,
    decode_count,
    decode_optional_documents,
    decode_times,
    make_field_error,
)
from gcsched.domain.event import format_wall
from gcsched.domain.meeting import MeetingRevision, Person

TIMES = ("stamp", "start", "end")
WALL_TIMES = ("start_wall", "end_wall")
TEXTS = (
    *("meeting", "uid", "zone", "zone_version", "summary", "location", "url", "description"),
    *("organizer", "organizer_name", "sent_by", *WALL_TIMES),
)

Document = Mapping[str, Any]


def encode_revision(revision: MeetingRevision) -> dict[str, Any]:
    """Return the document of *revision*; wall times are texts, because BSON dates are instants."""
    document: dict[str, Any] = {
        "meeting": revision.meeting_id,
        "uid": revision.uid,
        "number": revision.number,
        "sequence": revision.sequence,
        "stamp": revision.stamp,
        "start": revision.start,
        "end": revision.end,
        "start_wall": format_wall(revision.start_wall),
        "end_wall": format_wall(revision.end_wall),
        "zone": revision.zone,
        "zone_version": revision.zone_version,
        "summary": revision.summary,
        "location": revision.location,
        "url": revision.url,
        "description": revision.description,
        "organizer": revision.organizer.email,
        "organizer_name": revision.organizer.name,
        "sent_by": revision.sent_by,
    }
    if revision.guests:
        document["guests"] = [{"email": each.email, "name": each.name} for each in revision.guests]
    if revision.reason:
        document["reason"] = revision.reason
    return document


def decode_revision(document: Document) -> MeetingRevision:
    stamp, start, end = decode_times(document, TIMES)
    check_texts(document, TEXTS)
    check_optional_texts(document, ("reason",))
    check_address(document, "organizer")
    check_address(document, "sent_by")
    return MeetingRevision(
        meeting_id=document["meeting"],
        uid=document["uid"],
        number=decode_count(document, "number"),
        sequence=decode_count(document, "sequence"),
        stamp=cut_to_second(stamp),
        start=cut_to_second(start),
        end=cut_to_second(end),
        start_wall=decode_wall_time(document, "start_wall"),
        end_wall=decode_wall_time(document, "end_wall"),
        zone=document["zone"],
        zone_version=document["zone_version"],
        summary=document["summary"],
        location=document["location"],
        url=document["url"],
        description=document["description"],
        organizer=Person(email=document["organizer"], name=document["organizer_name"]),
        sent_by=document["sent_by"],
        guests=tuple(map(decode_guest, decode_optional_documents(document, "guests"))),
        reason=document.get("reason") or "",
    )


def cut_to_second(time: datetime) -> datetime:
    return time.replace(microsecond=0) if time.microsecond else time


def decode_guest(document: Document) -> Person:
    check_texts(document, ("email", "name"))
    check_address(document, "email")
    return Person(email=document["email"], name=document["name"])


def decode_wall_time(document: Document, name: str) -> datetime:
    try:
        wall = datetime.fromisoformat(document[name])
    except ValueError as error:
        raise make_field_error(name, document[name]) from error
    if wall.tzinfo is not None:
        raise make_field_error(name, document[name])
    return wall
