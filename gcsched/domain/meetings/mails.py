"""Builds and changes the jobs of a meeting's mails. Pure, but for the random part of their ids."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import replace

from gcsched.domain.due import round_up_to_second
from gcsched.domain.ids import new_id
from gcsched.domain.job import Job, Priority, State
from gcsched.domain.meeting import MeetingRevision
from gcsched.domain.meeting_mail import MeetingMail, Purpose
from gcsched.domain.meetings.keys import mail_key, reminder_key
from gcsched.domain.meetings.meeting import Attendee, MailText, Meeting, Reminder

SETTLE = timedelta(seconds=10)
URGENT_BEFORE_START = timedelta(hours=1)
TEMPLATES: Mapping[Purpose, str] = {
    Purpose.INVITATION: "invitation",
    Purpose.UPDATE: "update",
    Purpose.CANCELLATION: "cancellation",
    Purpose.REMINDER: "reminder",
}
"""The template of each mail, unless the caller names another one."""
PREFIXES: Mapping[Purpose, str] = {
    Purpose.INVITATION: "",
    Purpose.UPDATE: "Updated: ",
    Purpose.CANCELLATION: "Cancelled: ",
    Purpose.REMINDER: "Reminder: ",
}
"""What stands before the summary in each subject, unless the caller gives another subject."""
REMOVAL_PREFIX = "No longer invited: "
"""The same for a removed attendee, for whom alone the meeting is off."""


def make_subject(mail: MeetingMail, summary: str) -> str:
    """Return the subject of *mail* where the caller gives none."""
    return f"{REMOVAL_PREFIX if mail.is_removal else PREFIXES[mail.purpose]}{summary}"


@dataclass(frozen=True, slots=True, kw_only=True)
class MailRules:
    """The configuration that mails about meetings are made by.

    *sender_domains* are the Message-ID domains of the senders beside the default one. An update
    waits for *settle*, so that further edits change it instead of making another mail.
    """

    message_id_domain: str
    sender_domains: Mapping[str, str] = field(default_factory=dict)
    settle: timedelta = SETTLE
    make_id: Callable[[datetime], str] = new_id


@dataclass(frozen=True, slots=True, kw_only=True)
class MailMaker:
    """Makes the mails of *meeting* as it is at *now*; *revisions* has earlier ones by number."""

    meeting: Meeting
    revisions: Mapping[int, MeetingRevision]
    now: datetime
    rules: MailRules

    @property
    def this_second(self) -> datetime:
        return self.now.replace(microsecond=0)

    def find_cancelled_revision(self, attendee: Attendee) -> MeetingRevision | None:
        """Return what a cancellation to *attendee* shows; None if that is not known any more.

        One who was removed sees nothing that changed later: a new link is not for that attendee.
        """
        latest = self.meeting.revision
        if not attendee.is_removed:
            return latest
        number = attendee.removed_revision
        return latest if number == latest.number else self.revisions.get(number)

    def describe(self, attendee: Attendee, purpose: Purpose) -> MeetingMail:
        """Return what a mail for *purpose* to *attendee* says about the meeting."""
        latest = replace(self.meeting.revision, reason="")
        mail = MeetingMail(
            revision=latest,
            purpose=purpose,
            role=attendee.role,
            references=attendee.thread,
            invited_count=attendee.invited_count,
        )
        match purpose:
            case Purpose.UPDATE:
                told = self.revisions.get(attendee.word.revision)
                earlier = told and replace(told, reason="", guests=())
                return replace(mail, earlier=earlier)
            case Purpose.CANCELLATION:
                shown = self.find_cancelled_revision(attendee) or latest
                reason = attendee.removal_reason if attendee.is_removed else shown.reason
                shown = replace(shown, reason=reason, guests=())
                return replace(mail, revision=shown, is_removal=attendee.is_removed)
            case Purpose.REMINDER:
                return replace(mail, revision=replace(latest, guests=()))
            case _:
                return mail

    def find_due_time(self, purpose: Purpose) -> datetime:
        """Return when a new invitation, update or cancellation goes."""
        match purpose:
            case Purpose.INVITATION:
                return max(self.meeting.invite_time, self.this_second)
            case Purpose.UPDATE:
                settled = round_up_to_second(self.now + self.rules.settle)
                return settled if settled < self.meeting.revision.start else self.this_second
            case _:
                return self.this_second

    def is_too_late(self, attendee: Attendee, purpose: Purpose) -> bool:
        """Return whether a mail for *purpose* that is made now would expire before it goes."""
        expire_time = self.find_expire_time(attendee, self.describe(attendee, purpose))
        return self.find_due_time(purpose) >= expire_time

    def find_expire_time(self, attendee: Attendee, mail: MeetingMail) -> datetime:
        """Return when *mail* to *attendee* is of no use any more.

        A cancellation is, until what it takes out of the calendar is over: that may be later than
        what it shows, if the attendee never heard of a move to an earlier time.
        """
        limit, told = find_expire_time(mail), self.revisions.get(attendee.word.revision)
        if mail.purpose is not Purpose.CANCELLATION or told is None:
            return limit
        return max(limit, told.end)

    def make(self, attendee: Attendee, purpose: Purpose) -> Job:
        """Return the job of an invitation, update or cancellation."""
        due_time = self.find_due_time(purpose)
        mail = self.describe(attendee, purpose)
        key = mail_key(self.meeting, attendee, purpose)
        return self._build(attendee, mail, due_time, dedup_key=key)

    def remind(self, attendee: Attendee, reminder: Reminder) -> Job:
        """Return the job of *reminder* to *attendee*."""
        due_time = self.meeting.revision.start - reminder.before
        mail = self.describe(attendee, Purpose.REMINDER)
        key = reminder_key(self.meeting, attendee, reminder.before)
        job = self._build(attendee, mail, due_time, dedup_key=key)
        return replace(job, template=self.find_template(Purpose.REMINDER, reminder))

    def _build(
        self, attendee: Attendee, mail: MeetingMail, due_time: datetime, *, dedup_key: str
    ) -> Job:
        job_id, sender = self.rules.make_id(self.now), self.meeting.sender
        # A sender that was removed from the settings fails its job, not the plan of all mails.
        domain = self.rules.sender_domains.get(sender, self.rules.message_id_domain)
        return Job(
            id=job_id,
            state=State.SCHEDULED,
            email=attendee.email,
            create_time=self.now,
            schedule_time=due_time,
            due_time=due_time,
            expire_time=self.find_expire_time(attendee, mail),
            has_own_expire_time=True,
            state_time=self.now,
            message_id=f"{job_id}@{domain}",
            dedup_key=dedup_key,
            sender=sender,
            client=self.meeting.client,
            meeting=mail,
            priority=find_priority(mail, due_time),
            **self.find_texts(attendee, mail),
        )

    def find_texts(
        self, attendee: Attendee, mail: MeetingMail, reminder: Reminder | None = None
    ) -> dict[str, Any]:
        """Return the fields of a job that the texts of the meeting and its attendee set."""
        given = self.meeting.texts.mails.get(mail.purpose, MailText())
        return {
            "empid": attendee.empid,
            "name": attendee.name,
            "message": given.subject or make_subject(mail, mail.revision.summary),
            "template": self.find_template(mail.purpose, reminder),
            "variables": self.meeting.texts.variables,
            "labels": self.meeting.labels,
        }

    def find_template(self, purpose: Purpose, reminder: Reminder | None = None) -> str:
        """Return the template of a mail; *reminder* may have one of its own."""
        given = self.meeting.texts.mails.get(purpose, MailText())
        own = reminder.template if reminder is not None else ""
        return own or given.template or TEMPLATES[purpose]


def find_expire_time(mail: MeetingMail) -> datetime:
    """Return when *mail* is of no use any more: at the start, a cancellation at the end."""
    shown = mail.revision
    return shown.end if mail.purpose is Purpose.CANCELLATION else shown.start


def find_priority(mail: MeetingMail, due_time: datetime) -> Priority:
    is_near = due_time >= mail.revision.start - URGENT_BEFORE_START
    return Priority.URGENT if is_near else Priority.NORMAL
