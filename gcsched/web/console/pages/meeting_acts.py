"""What operators do about one meeting: each act shows first what it will do, then does it."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from aiohttp import web

from gcsched.domain.meetings.effects import Effect
from gcsched.domain.meetings.keys import etag_of_meeting
from gcsched.domain.meetings.meeting import Meeting
from gcsched.errors import (
    EtagMismatch,
    InvalidRequest,
    MeetingCancelled,
    MeetingContended,
    MeetingOver,
    UnknownAttendee,
)
from gcsched.usecases.meetings.change import MeetingChange
from gcsched.usecases.meetings.result import MeetingResult
from gcsched.web.console.call import Call
from gcsched.web.console.masked import mask_local_part
from gcsched.web.console.meeting_forms import FIELDS, name_problems, parse_change
from gcsched.web.console.meeting_view import find_differences
from gcsched.web.console.meeting_words import sum_up
from gcsched.web.console.pages.errors import capitalize
from gcsched.web.console.pages.job import Refused
from gcsched.web.console.pages.meeting import METHODS, parse_seen, read_meeting, show_meeting

AS_IT_IS = (MeetingOver, MeetingCancelled, MeetingContended, UnknownAttendee)
"""The meeting does not allow the act: its page says why."""
NO_ETAG = "-"
"""Of no meeting: a form without an etag has shown none."""
CHANGED = (
    "The meeting has changed since this form was opened, so nothing was done. Look, and send again."
)
BUTTONS: Mapping[str, str] = {
    "move": "Move the meeting",
    "edit": "Change the texts",
    "cancel": "Cancel the meeting",
    "add": "Add the attendees",
    "remove": "Remove the attendees",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectRow:
    """What an act does about the mails to one attendee."""

    address: str
    sentences: Sequence[str]
    in_flight: int


async def move(call: Call) -> web.StreamResponse:
    return await run(call, "move")


async def edit(call: Call) -> web.StreamResponse:
    return await run(call, "edit")


async def cancel(call: Call) -> web.StreamResponse:
    return await run(call, "cancel")


async def add(call: Call) -> web.StreamResponse:
    return await run(call, "add")


async def remove(call: Call) -> web.StreamResponse:
    return await run(call, "remove")


async def run(call: Call, act: str) -> web.StreamResponse:
    """Show what *act* will do, or do it if that was shown; if it is refused, show why."""
    fields = await read_fields(call, act)
    meeting = await read_meeting(call)
    is_confirmed = fields.get("confirmed") == "yes"
    try:
        done = await change(call, act, fields, meeting, is_dry_run=not is_confirmed)
    except InvalidRequest as error:
        problems = name_problems(act, error)
        refused = Refused(act=act, fields=fields, problems=problems, sentence=problems.get("", ""))
        return await show_refused(call, 400, refused)
    except EtagMismatch:
        seen = parse_seen(fields)
        refused = Refused(act=act, fields=fields, sentence=CHANGED, seen_time=seen)
        return await show_refused(call, 409, refused)
    except AS_IT_IS as error:
        refused = Refused(act=act, fields=fields, sentence=capitalize(str(error)))
        return await show_refused(call, 409, refused)
    if not is_confirmed:
        return show_effects(call, act, fields, meeting, done)
    return call.redirect(f"/meetings/{quote(meeting.id, safe='')}", done=f"meeting-{act}")


async def read_fields(call: Call, act: str) -> dict[str, str]:
    """Return the fields of a form, as text: of ticked boxes all values, with commas."""
    fields = dict(await call.form())
    if act == "remove":
        fields["attendee"] = ",".join(await call.form_values("attendee"))
    return fields


async def change(
    call: Call, act: str, fields: Mapping[str, str], meeting: Meeting, *, is_dry_run: bool
) -> MeetingResult:
    is_full = call.client.may_read_content(meeting.client)
    requested = MeetingChange(
        meeting_id=meeting.id,
        change=parse_change(act, fields, meeting, is_full=is_full),
        actor=call.actor(METHODS[act]),
        etag=fields.get("etag") or NO_ETAG,
        is_dry_run=is_dry_run,
    )
    async with call.services.slots.changing_meetings.slot(call.within):
        return await call.services.change_meeting.change(requested, within=call.within)


async def show_refused(call: Call, status: int, refused: Refused) -> web.Response:
    return await show_meeting(call, await read_meeting(call), refused=refused, status=status)


def show_effects(
    call: Call, act: str, fields: Mapping[str, str], meeting: Meeting, result: MeetingResult
) -> web.Response:
    """Show what the act will do: what changes, and what each attendee gets."""
    is_full = call.client.may_read_content(meeting.client)
    changed = result.meeting
    carried = {name: fields.get(name, "") for name in FIELDS[act]}
    return call.page(
        "meeting_effects.html",
        status=200,
        meeting=meeting,
        title=meeting.revision.summary if is_full else "",
        act=act,
        button=BUTTONS[act],
        carried=carried | {"etag": etag_of_meeting(meeting), "seen": fields.get("seen", "")},
        is_change=changed.revision.number != meeting.revision.number,
        differences=find_differences(meeting.revision, changed.revision, is_full=is_full),
        time_note=result.time_note,
        rows=list_effects(result.effects, is_full=is_full),
        totals=sum_up(result.effects),
        in_flight=sum(each.in_flight for each in result.effects),
        is_dangerous=act in {"cancel", "remove"},
    )


def list_effects(effects: Sequence[Effect], *, is_full: bool) -> Sequence[EffectRow]:
    """Return the effects by attendee, in their order."""
    groups = defaultdict[str, list[Effect]](list)
    for each in effects:
        groups[each.email].append(each)
    return [
        EffectRow(
            address=email if is_full else mask_local_part(email),
            sentences=sum_up(found),
            in_flight=sum(each.in_flight for each in found),
        )
        for email, found in groups.items()
    ]
