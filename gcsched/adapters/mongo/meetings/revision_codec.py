"""The codec between revisions and their documents in the collection of revisions."""

from datetime import datetime
from typing import Any

from gcsched.adapters.mongo.meeting_document import encode_revision
from gcsched.domain.meeting import MeetingRevision


def name_revision(meeting_id: str, number: int) -> str:
    """Return the id of a revision's document."""
    return f"{meeting_id}:{number}"


def encode_revision_document(
    revision: MeetingRevision, *, delete_after: datetime, writer: str = ""
) -> dict[str, Any]:
    """Return the document of *revision*, with the mark of its *writer* if it has one."""
    document: dict[str, Any] = {
        "_id": name_revision(revision.meeting_id, revision.number),
        **encode_revision(revision),
        "delete_after": delete_after,
    }
    return document | {"writer": writer} if writer else document
