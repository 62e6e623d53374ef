"""The errors about meetings that callers see; docs/api.md shows their docstrings."""

from collections.abc import Sequence
from datetime import datetime

from gcsched.errors.of_calls import GcschedError

MAX_NAMED = 10


class UnknownMeeting(GcschedError):
    """No meeting of the caller has this id: it never existed, is over, or is another client's."""

    def __init__(self, meeting_id: str) -> None:
        super().__init__(
            f"no meeting with id {meeting_id!r}: check the id; its retention may be over"
        )
        self.metadata = {"meeting_id": meeting_id}


class UnreadableMeeting(GcschedError):
    """The stored meeting is not a valid document. The operator must repair or delete it."""

    def __init__(
        self, meeting_id: str, problem: str = "its document is damaged", *, client: str = ""
    ) -> None:
        super().__init__(
            f"the meeting with id {meeting_id!r} cannot be read: {problem};"
            " ask the operator to repair or delete its document"
        )
        self.metadata = {"meeting_id": meeting_id}
        self.client = client


class UnknownAttendee(GcschedError):
    """An address is not among the attendees of the meeting. Nothing was changed; read it again."""

    def __init__(self, meeting_id: str, fields: Sequence[str]) -> None:
        named = ", ".join(fields[:MAX_NAMED]) + (" and others" if len(fields) > MAX_NAMED else "")
        super().__init__(
            f"not among the attendees of meeting {meeting_id}: {named}; nothing was changed, read"
            " the meeting for its attendees"
        )
        self.metadata = {"meeting_id": meeting_id, "fields": named}


class MeetingOver(GcschedError):
    """The meeting has ended, or has started and would keep its start. It cannot change any more."""

    def __init__(self, meeting_id: str, end: datetime) -> None:
        super().__init__(
            f"meeting {meeting_id} cannot be changed: it was planned until"
            f" {end.isoformat(timespec='seconds')}; create a new meeting"
        )
        self.metadata = {"meeting_id": meeting_id, "end_time": end.isoformat()}


class MeetingCancelled(GcschedError):
    """The meeting was cancelled, and stays so. Create a new one."""

    def __init__(self, meeting_id: str) -> None:
        super().__init__(f"meeting {meeting_id} was cancelled and stays so; create a new meeting")
        self.metadata = {"meeting_id": meeting_id}


class MeetingContended(GcschedError):
    """The meeting was changed by others at every try. Call again."""

    def __init__(self, meeting_id: str, tries: int) -> None:
        super().__init__(
            f"meeting {meeting_id} was changed by others {tries} times in a row; call again"
        )
        self.metadata = {"meeting_id": meeting_id}


class JobSuperseded(GcschedError):
    """The job cannot be retried: its meeting has changed since. Its metadata names the meeting."""

    def __init__(self, job_id: str, meeting_id: str, *, why: str) -> None:
        super().__init__(
            f"job {job_id} cannot be retried: {why}; read meeting {meeting_id}, or change it"
        )
        self.metadata = {"job_id": job_id, "meeting_id": meeting_id}
