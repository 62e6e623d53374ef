"""What the page of a meeting shows: its attendees with their mails, its reminders, its history."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter

from gcsched.domain.access import NO_ONE_KNOWN
from gcsched.domain.job import Job, State
from gcsched.domain.meeting import MeetingRevision
from gcsched.domain.meeting_mail import Purpose
from gcsched.domain.meetings.evidence import find_jobs, group_by_recipient
from gcsched.domain.meetings.meeting import Attendee, Meeting, MeetingStep, Reminder
from gcsched.web.console.masked import mask_local_part
from gcsched.web.console.meeting_words import (
    METHOD_WORDS,
    NOUNS,
    Mark,
    describe_knowledge,
    show_length,
    show_span,
)

HIDDEN_TEXTS = {"summary": "title", "location": "place", "url": "link"}


@dataclass(frozen=True, slots=True, kw_only=True)
class MailLink:
    """A mail of a meeting: what it is for, and its job. *id* is "" if the job is deleted."""

    noun: str
    state: State
    id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttendeeView:
    """An attendee; *number* is the place in the meeting, *reason* why the latest mail failed."""

    number: int
    attendee: Attendee
    address: str
    knowledge: Mark
    mails: Sequence[MailLink]
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReminderView:
    """A reminder at *time*, and how many of its mails are in which state."""

    reminder: Reminder
    time: datetime
    states: Mapping[State, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What changed from one revision to the next; texts are "" where they must not be shown."""

    name: str
    before: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEntry:
    """A step of a caller, and what it changed."""

    time: datetime
    title: str
    who: str
    text: str = ""
    revision: int = 0
    differences: Sequence[Difference] = ()


def build_attendees(
    meeting: Meeting, jobs: Sequence[Job], *, is_full: bool
) -> Sequence[AttendeeView]:
    """Return the attendees as answers list them, with their mails among *jobs*, oldest first."""
    groups = group_by_recipient(jobs)
    return [
        AttendeeView(
            number=number,
            attendee=each,
            address=each.email if is_full else mask_local_part(each.email),
            knowledge=describe_knowledge(meeting, each),
            mails=list(list_mails(each, find_jobs(groups, each) if each.email else ())),
            reason=each.delivery_reason if is_full else "",
        )
        for number, each in enumerate(meeting.attendees)
        if each.is_listed
    ]


def list_mails(attendee: Attendee, jobs: Sequence[Job]) -> Iterator[MailLink]:
    """Yield the mails to *attendee*: then the reminders, but for those that are withdrawn."""
    if attendee.delivery is not None and attendee.job_id not in {each.id for each in jobs}:
        yield MailLink(noun="latest mail", state=attendee.delivery)
    reminders = list[tuple[datetime, MailLink]]()
    for job in jobs:
        if job.meeting is None:
            continue
        noun = NOUNS[job.meeting.purpose]
        if job.meeting.purpose is not Purpose.REMINDER:
            yield MailLink(noun=noun, state=job.state, id=job.id)
        elif job.state is not State.CANCELLED:
            before = show_length(job.meeting.revision.start - job.schedule_time)
            link = MailLink(noun=f"{noun} {before} before", state=job.state, id=job.id)
            reminders.append((job.schedule_time, link))
    yield from (link for _, link in sorted(reminders, key=itemgetter(0)))


def build_reminders(meeting: Meeting, jobs: Sequence[Job]) -> Sequence[ReminderView]:
    """Return the reminders of *meeting*, the first one first, with the states of their mails."""
    start = meeting.revision.start
    states = dict[datetime, Counter[State]]()
    for job in jobs:
        mail = job.meeting
        # Those of a time from before a move are withdrawn, and of no use any more.
        if mail and mail.purpose is Purpose.REMINDER and mail.revision.start == start:
            states.setdefault(job.schedule_time, Counter())[job.state] += 1
    return [
        ReminderView(reminder=each, time=time, states=states.get(time, {}))
        for each in sorted(meeting.reminders, key=lambda each: each.before, reverse=True)
        for time in (start - each.before,)
    ]


def build_history(
    meeting: Meeting, revisions: Sequence[MeetingRevision], *, is_full: bool
) -> Sequence[HistoryEntry]:
    """Return the steps of *meeting*, oldest first; of many only the latest are kept."""
    known = {each.number: each for each in revisions}
    entries = [make_entry(each, known, is_full=is_full) for each in meeting.steps]
    if entries and entries[0].time <= meeting.create_time:
        return entries
    created = HistoryEntry(time=meeting.create_time, title="created", who=meeting.client)
    return [created, *entries]


def make_entry(
    step: MeetingStep, known: Mapping[int, MeetingRevision], *, is_full: bool
) -> HistoryEntry:
    after = known.get(step.revision)
    before = known.get(max((n for n in known if n < step.revision), default=0))
    return HistoryEntry(
        time=step.time,
        title=METHOD_WORDS.get(step.method, f"called {step.method}"),
        who=f"{step.client or NO_ONE_KNOWN} ({step.via})",
        text=step.reason if is_full else "",
        revision=step.revision,
        differences=[]
        if before is None or after is None
        else find_differences(before, after, is_full=is_full),
    )


def find_differences(
    before: MeetingRevision, after: MeetingRevision, *, is_full: bool
) -> Sequence[Difference]:
    """Return what of the meeting changed between two revisions."""
    found = list[Difference]()
    times = [f"{show_span(each.start_wall, each.end_wall)} {each.zone}" for each in (before, after)]
    if times[0] != times[1]:
        found.append(Difference(name="time", before=times[0], after=times[1]))
    for name, title in HIDDEN_TEXTS.items():
        one, other = getattr(before, name), getattr(after, name)
        if one != other:
            shown = (one or "none", other or "none") if is_full else ("", "")
            found.append(Difference(name=title, before=shown[0], after=shown[1]))
    if before.description != after.description:
        found.append(Difference(name="description"))
    return found
