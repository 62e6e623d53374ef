"""One meeting: when it is, who knows what, its reminders, its history, its calendar file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from aiohttp import web

from gcsched.domain.checks import require_valid
from gcsched.domain.job import Job
from gcsched.domain.job_list import JobFilter, JobListQuery, JobOrder
from gcsched.domain.meeting import MeetingRevision
from gcsched.domain.meetings.calendars import FILE_NAME
from gcsched.domain.meetings.keys import etag_of_meeting
from gcsched.domain.meetings.meeting import Meeting
from gcsched.domain.validation import MAX_ID_LENGTH, text_violations
from gcsched.errors import UnknownAttendee
from gcsched.web.console import meeting_words
from gcsched.web.console.call import Call
from gcsched.web.console.masked import mask_local_part
from gcsched.web.console.meeting_view import build_attendees, build_history, build_reminders
from gcsched.web.console.meeting_words import PHASE_MARKS, Phase, find_phase
from gcsched.web.console.pages.job import NONE_REFUSED, Refused
from gcsched.web.console.view import may

MAX_MAILS = 200
METHODS = {
    "move": "UpdateMeeting",
    "edit": "UpdateMeeting",
    "cancel": "CancelMeeting",
    "add": "AddAttendees",
    "remove": "RemoveAttendees",
}
"""The methods of the contract that the acts are."""
BEFORE_START = frozenset({"edit", "add"})
"""The acts that a meeting does not allow once it has begun."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundMeeting:
    """A meeting with the newest of its mails; *has_more* if there are older ones."""

    meeting: Meeting
    jobs: Sequence[Job] = ()
    has_more: bool = False
    revisions: Sequence[MeetingRevision] = field(default_factory=tuple)


async def show(call: Call) -> web.StreamResponse:
    return await show_meeting(call, await read_meeting(call))


async def read_meeting(call: Call) -> Meeting:
    """Return the meeting of the address. Raises UnknownMeeting."""
    meeting_id = call.request.match_info["id"]
    require_valid(text_violations("meeting_id", meeting_id, at_least=1, at_most=MAX_ID_LENGTH))
    async with call.services.slots.reading.slot(call.within):
        return await call.services.read_meetings.get(meeting_id, call.client)


async def find_rest(call: Call, meeting: Meeting) -> FoundMeeting:
    """Read the mails and the earlier revisions of *meeting*."""
    query = JobListQuery(filter=JobFilter(meeting_id=meeting.id), order=JobOrder.CREATE_TIME_DESC)
    async with call.services.slots.listing.slot(call.within):
        page = await call.services.read_jobs.read_page(
            query, None, most=MAX_MAILS, is_full=False, client=call.client
        )
    async with call.services.slots.reading.slot(call.within):
        revisions = await call.services.read_meetings.find_history(meeting)
    return FoundMeeting(
        meeting=meeting,
        jobs=page.jobs,
        has_more=page.next_cursor is not None,
        revisions=revisions,
    )


async def show_meeting(
    call: Call, meeting: Meeting, *, refused: Refused = NONE_REFUSED, status: int = 200
) -> web.Response:
    found = await find_rest(call, meeting)
    is_full = call.client.may_read_content(meeting.client)
    phase = find_phase(meeting, call.times().now)
    attendees = build_attendees(meeting, found.jobs, is_full=is_full)
    return call.page(
        "meeting.html",
        status=status,
        meeting=meeting,
        latest=meeting.revision,
        etag=etag_of_meeting(meeting),
        is_full=is_full,
        mark=PHASE_MARKS[phase],
        headline=meeting_words.write_headline(meeting, phase),
        organizer=show_organizer(meeting, is_full=is_full),
        times=show_times(call, meeting),
        length=meeting_words.show_length(meeting.revision.end - meeting.revision.start),
        attendees=attendees,
        reminders=build_reminders(meeting, found.jobs),
        history=build_history(meeting, found.revisions, is_full=is_full),
        has_more=found.has_more,
        mail_count=len(found.jobs),
        acts=list_acts(call, phase),
        refused=refused,
        forms=fill_forms(meeting, is_full=is_full),
        show_length=meeting_words.show_length,
        **(await build_calendar_values(call, meeting) if is_full else NO_CALENDAR),
    )


def show_organizer(meeting: Meeting, *, is_full: bool) -> str:
    person = meeting.revision.organizer
    if not is_full:
        return mask_local_part(person.email)
    return f"{person.name} <{person.email}>" if person.name else person.email


def show_times(call: Call, meeting: Meeting) -> list[tuple[str, str]]:
    """Return when the meeting is, with the zone: in its own, and in the one of the pages."""
    latest, zone = meeting.revision, call.times().zone
    own_offset = meeting_words.show_offset(latest.start_wall, latest.start)
    own = meeting_words.show_span(latest.start_wall, latest.end_wall)
    shown = [(own, f"{latest.zone} ({own_offset})")]
    start, end = (each.astimezone(zone) for each in (latest.start, latest.end))
    if zone.key != latest.zone:
        offset = meeting_words.show_offset(start.replace(tzinfo=None), latest.start)
        shown.append((meeting_words.show_span(start, end), f"{zone.key} ({offset})"))
    return shown


def list_acts(call: Call, phase: Phase) -> frozenset[str]:
    """Return the acts that the meeting and the scopes of the client allow."""
    if phase in {Phase.OVER, Phase.CANCELLED}:
        return frozenset()
    found = METHODS.keys() if phase is Phase.AHEAD else METHODS.keys() - BEFORE_START
    return frozenset(each for each in found if may(call.client, METHODS[each]))


def fill_forms(meeting: Meeting, *, is_full: bool) -> Mapping[str, str]:
    """Return what the fields of the forms begin with: the meeting as it is.

    Without the scope `content` texts are empty, and stay as they are unless something is entered.
    """
    latest = meeting.revision
    texts = ("summary", "location", "url", "description")
    return {
        "start": meeting_words.write_wall(latest.start_wall),
        "minutes": f"{(latest.end - latest.start).total_seconds() / 60:g}",
        "zone": latest.zone,
        **{name: getattr(latest, name) if is_full else "" for name in texts},
    }


NO_CALENDAR: dict[str, object] = {"calendar": "", "calendar_of": "", "calendar_link": ""}


async def build_calendar_values(call: Call, meeting: Meeting) -> dict[str, object]:
    """Return the calendar file of the chosen attendee, or the one without people.

    It stands beside the part that refreshes.
    """
    if call.is_refresh:
        return NO_CALENDAR
    of = call.request.query.get("of", "")
    if find_address(meeting, of) is None:
        of = ""
    content = await write_calendar(call, meeting, of)
    link = call.link(f"/meetings/{meeting.id}/calendar{f'?of={of}' if of else ''}")
    return {"calendar": content.decode(), "calendar_of": of, "calendar_link": link}


async def write_calendar(call: Call, meeting: Meeting, of: str) -> bytes:
    """Return the calendar file, as GetMeetingCalendar does; *of* is the number of an attendee."""
    address = find_address(meeting, of)
    if address is None:
        raise UnknownAttendee(meeting.id, ["of"])
    async with call.services.slots.reading.slot(call.within):
        return await call.services.read_meetings.write_calendar(meeting.id, address, call.client)


def find_address(meeting: Meeting, number: str) -> str | None:
    """Return the address of the attendee *number*; "" for no attendee, None for an unknown one."""
    if not number:
        return ""
    known = {str(n): each for n, each in enumerate(meeting.attendees)}
    found = known.get(number)
    return found.email if found is not None and found.email and found.is_listed else None


async def send_calendar(call: Call) -> web.StreamResponse:
    meeting = await read_meeting(call)
    content = await write_calendar(call, meeting, call.request.query.get("of", ""))
    return web.Response(
        body=content,
        content_type="text/calendar",
        charset="utf-8",
        headers={"Content-Disposition": f'attachment; filename="{FILE_NAME}"'},
    )


def parse_seen(fields: Mapping[str, str]) -> datetime | None:
    """Return when the meeting had last changed that a form showed."""
    try:
        found = datetime.fromisoformat(fields.get("seen", ""))
    except ValueError:
        return None
    return found if found.tzinfo else None
