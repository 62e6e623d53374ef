"""The update that makes a stored meeting what a changed value says. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from gcsched.adapters.mongo.meetings import attendee_codec, meeting_codec
from gcsched.adapters.mongo.meetings.meeting_codec import encode_meeting
from gcsched.domain.meetings.meeting import Attendee, Meeting

KEPT = ("_id", "attendees", "created", "uid")


def build_change(seen: Meeting, changed: Meeting) -> dict[str, Any]:
    """Return the update of *seen* that stores *changed*, without its retention.

    Of the attendees only those are written that differ, each field by its path, so that what a
    newer version may have stored beside stays. The guard on the version makes the paths right.
    """
    document = encode_meeting(changed)
    fields = {name: value for name, value in document.items() if name not in KEPT}
    removed = [name for name in meeting_codec.OPTIONAL_FIELDS if name not in document]
    if len(changed.attendees) < len(seen.attendees):
        fields["attendees"] = document["attendees"]
    else:
        paths = dict(encode_attendee_paths(seen, changed))
        fields |= {path: value for path, value in paths.items() if value is not None}
        removed += [path for path, value in paths.items() if value is None]
    return {"$set": fields} | ({"$unset": dict.fromkeys(removed, "")} if removed else {})


def encode_attendee_paths(seen: Meeting, changed: Meeting) -> Iterator[tuple[str, Any]]:
    """Yield the path of each field to store, with its value; None: to be removed."""
    for position, attendee in enumerate(changed.attendees):
        path = f"attendees.{position}"
        if position >= len(seen.attendees):
            yield path, attendee_codec.encode_attendee(attendee)
        elif attendee != seen.attendees[position]:
            for name, value in list_fields(attendee).items():
                yield f"{path}.{name}", value


def list_fields(attendee: Attendee) -> Mapping[str, Any]:
    """Return all fields of an attendee's document, None for those that are absent."""
    absent: dict[str, Any] = dict.fromkeys(attendee_codec.OPTIONAL_FIELDS)
    return absent | attendee_codec.encode_attendee(attendee)
