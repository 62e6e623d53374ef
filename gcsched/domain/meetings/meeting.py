"""The meeting as a resource: what is planned, who is invited, what each attendee knows. Pure."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct, field

from gcsched.domain.calendar_file import Method
from gcsched.domain.job import State as JobState
from gcsched.domain.meeting import MeetingRevision
from gcsched.domain.meeting_mail import Purpose, Role

MAX_ATTENDEES = 100  # who are not removed
MAX_ATTENDEES_KEPT = 300
MAX_REMINDERS = 5
MAX_STEPS = 20


class MeetingState(StrEnum):
    """Whether a meeting takes place."""

    SCHEDULED = "SCHEDULED"
    CANCELLED = "CANCELLED"  #: Final.


class Told(StrEnum):
    """How certain it is that an attendee has the word that `Word` describes."""

    NOTHING = "NOTHING"  #: Surely no mail about the meeting reached the relay.
    MAYBE = "MAYBE"  #: A body had begun, and the relay's reply is unknown.
    SURE = "SURE"  #: The relay accepted a mail.


class Word(Struct, frozen=True, kw_only=True):
    """The latest word about a meeting that an attendee has, or may have.

    It is kept in the meeting, because jobs are deleted long before meetings.
    """

    told: Told = Told.NOTHING
    method: Method = Method.REQUEST  #: REQUEST put it into the calendar, CANCEL took it out.
    sequence: int = 0  #: SEQUENCE of that mail.
    revision: int = 0  #: The number of the revision that it showed.


class Attendee(Struct, frozen=True, kw_only=True):
    """A person who is, or was, invited. The address identifies the attendee within the meeting."""

    email: str  #: As the caller wrote it, normalised; "" once the recipient was forgotten.
    name: str = ""
    empid: str = ""  #: The employee's id at the caller; "" for none.
    role: Role = Role.REQUIRED
    is_removed: bool = False  #: Removed, and kept here because of what the attendee has.
    removed_revision: int = 0  #: What a cancellation to the removed attendee shows; 0 for none.
    removal_reason: str = ""  #: Why the attendee was removed, as the caller gave it.
    invited_count: int = 1  #: How often the attendee was added: part of the keys of its mails.
    invited_revision: int = 1  #: What mails show at least since the attendee was added again.
    word: Word = Word()
    job_id: str = ""  #: The latest invitation, update or cancellation; "" if none was made.
    delivery: JobState | None = None  #: The state in which that job was last seen.
    delivery_reason: str = ""  #: Its reason, if it ended without being sent.
    mail_revision: int = 0  #: The revision that job shows.
    thread: str = ""  #: Message-ID of the first mail that the attendee has or may have; "" before.

    @property
    def is_in_doubt(self) -> bool:
        """Whether it is not known if the attendee has a word from before it was added again."""
        return self.word.told is Told.MAYBE and self.word.revision < self.invited_revision

    @property
    def is_listed(self) -> bool:
        """Whether answers list the attendee: not one who was removed before any mail left."""
        return not self.is_removed or self.word.told is not Told.NOTHING


class Reminder(Struct, frozen=True, kw_only=True):
    """A reminder some time *before* the start, by its own *template* or that of the texts."""

    before: timedelta
    template: str = ""


class MailText(Struct, frozen=True, kw_only=True):
    """Template and subject of one kind of mail; "" stands for the service's own."""

    template: str = ""
    subject: str = ""


class MeetingTexts(Struct, frozen=True, kw_only=True):
    """The caller's templates and subjects by purpose, and the values for the templates."""

    mails: Mapping[Purpose, MailText] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)


class MeetingStep(Struct, frozen=True, kw_only=True):
    """One step that a caller took on a meeting."""

    time: datetime
    client: str
    via: str
    method: str
    revision: int
    reason: str = ""


class Meeting(Struct, frozen=True, kw_only=True):
    """A meeting. A change returns a new value with a higher `version`.

    A *revision* is what mails show; the meeting points to its latest one.
    """

    revision: MeetingRevision  #: The latest revision: what the meeting is now.
    state: MeetingState = MeetingState.SCHEDULED
    version: int = 0  #: Counts all changes: writers match it against what they read.
    changes: int = 0  #: Counts the changes by callers; the etag is made of it.
    content_revision: int = 1  #: The earliest revision whose content still holds for all.
    attendees: tuple[Attendee, ...] = ()
    reminders: tuple[Reminder, ...] = ()
    guests_see_each_other: bool = False
    invite_time: datetime  #: When the invitations go; not before create_time.
    invite_revision: int = 1  #: The revision that set `invite_time`.
    reminder_revision: int = 1  #: The revision that set `reminders`.
    texts: MeetingTexts = MeetingTexts()
    labels: Mapping[str, str] = field(default_factory=dict)
    sender: str = ""  #: The key of the sender of its mails; "" for the default one.
    strict_time: bool = False
    client: str = ""  #: The client that created it; "" if access was not controlled then.
    request_id: str = ""
    fingerprint: str = ""  #: A digest of the request's content, to detect a reused request id.
    create_time: datetime
    update_time: datetime  #: When a caller last changed it.
    check_time: datetime | None = None  #: When its mails are looked at next; None: nothing is left.
    steps: tuple[MeetingStep, ...] = ()

    @property
    def id(self) -> str:
        return self.revision.meeting_id

    @property
    def is_scheduled(self) -> bool:
        return self.state is MeetingState.SCHEDULED

    def is_over(self, now: datetime) -> bool:
        """Return whether the meeting has ended: no mail is made about it any more."""
        return now >= self.revision.end
