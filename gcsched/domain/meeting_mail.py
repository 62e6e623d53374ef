"""What the mail of a job says about a meeting, and to whom. Pure."""

from enum import StrEnum

from msgspec import Struct

from gcsched.domain.meeting import MeetingRevision


class Purpose(StrEnum):
    """What a mail about a meeting is for."""

    INVITATION = "INVITATION"  #: Invites an attendee who has no word about the meeting yet.
    UPDATE = "UPDATE"  #: Corrects what the attendee has, or may have.
    CANCELLATION = "CANCELLATION"  #: The meeting is off, or the attendee is removed from it.
    REMINDER = "REMINDER"  #: Comes before the start; has no calendar part.


class Role(StrEnum):
    """How much an attendee is needed (RFC 5545 section 3.2.16)."""

    REQUIRED = "REQUIRED"
    OPTIONAL = "OPTIONAL"
    INFORMED = "INFORMED"


class MeetingMail(Struct, frozen=True, kw_only=True):
    """What the mail of a job says about a meeting.

    The job holds all that its mail shows, so a resend has the same octets (docs/adr/0049).
    """

    revision: MeetingRevision  #: The meeting as the mail shows it.
    purpose: Purpose = Purpose.INVITATION  #: What the mail is for.
    role: Role = Role.REQUIRED  #: How much its recipient is needed.
    references: str = ""  #: Message-ID of the first mail to the recipient; "" in that mail itself.
    earlier: MeetingRevision | None = None  #: What the recipient had before an UPDATE.
    is_removal: bool = False  #: A CANCELLATION for the recipient alone: the meeting takes place.
    invited_count: int = 1  #: How often the recipient had been added when this mail was made.

    @property
    def meeting_id(self) -> str:
        return self.revision.meeting_id

    @property
    def is_sample(self) -> bool:
        """Whether it is about an example, in a preview or a test mail: no such meeting is stored.

        Its mail is sent as any other; nothing can change or cancel it but `CancelJob`.
        """
        return not self.revision.meeting_id
