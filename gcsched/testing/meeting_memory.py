"""The meetings of a fake, whose rules are imported at the first call about one: they take 0.2 s."""

from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any

from google.protobuf.message import Message

from gcsched.client.results.meetings import Meeting
from gcsched.testing.admission import MESSAGE_ID_DOMAIN, FakeAdmission

if TYPE_CHECKING:
    from gcsched.testing.meetings import FakeMeetings

METHODS = frozenset(
    {
        *("CreateMeeting", "GetMeeting", "ListMeetings", "GetMeetingCalendar"),
        *("UpdateMeeting", "CancelMeeting", "AddAttendees", "RemoveAttendees"),
    }
)
"""The methods that are answered from memory."""


@dataclass(kw_only=True, eq=False)
class MeetingMemory:
    """Keeps the meetings of one fake; any thread may use it."""

    admission: FakeAdmission
    _meetings: "FakeMeetings | None" = field(default=None, init=False)
    _lock: Lock = field(default_factory=Lock, init=False)

    def answer(self, method: str, request: Any) -> Message:
        """Return the answer to a call. Raises GcschedError."""
        return self._open().answer(method, request)

    def list_all(self) -> list[Meeting]:
        return [] if self._meetings is None else self._meetings.list_all()

    def clear(self) -> None:
        with self._lock:
            self._meetings = None

    def _open(self) -> "FakeMeetings":
        from gcsched.domain.meetings.mails import MailRules
        from gcsched.testing.meetings import FakeMeetings

        with self._lock:
            if self._meetings is None:
                self._meetings = FakeMeetings(
                    context=self.admission.context,
                    rules=MailRules(message_id_domain=MESSAGE_ID_DOMAIN),
                    now=self.admission.now,
                )
            return self._meetings
