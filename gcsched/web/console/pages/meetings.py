"""The list of meetings: what comes, what is past, and the filters that an index serves."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from aiohttp import web

from gcsched.domain.checks import require_valid
from gcsched.domain.job import State
from gcsched.domain.meetings.meeting import Meeting
from gcsched.errors import InvalidRequest
from gcsched.usecases.ports.meetings import MeetingPage
from gcsched.web.console import meeting_filters
from gcsched.web.console.call import Call
from gcsched.web.console.masked import mask_local_part
from gcsched.web.console.meeting_filters import ADDRESSES, ListedMeetings
from gcsched.web.console.meeting_words import PHASE_MARKS, Mark, find_phase

PAGE_SIZE = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A meeting in the list; its texts and addresses are left out or masked without `content`.

    *invited* counts the attendees who are not removed, *mails* the latest mails to them by state.
    """

    meeting: Meeting
    mark: Mark
    title: str
    organizer: str
    invited: int
    mails: Mapping[State, int]


async def show(call: Call) -> web.StreamResponse:
    given = {name: call.request.query.get(name, "") for name in meeting_filters.FIELDS}
    given |= dict.fromkeys(ADDRESSES, "")  # an address has no place in the address of a page
    try:
        listed = parse(call, given)
    except InvalidRequest as error:
        return show_problems(call, given, error)
    return await show_list(call, listed, call.request.query.get("page", ""))


async def act(call: Call) -> web.StreamResponse:
    """Search for one meeting, or open the list that the other form asks for."""
    form = await call.form()
    text = form.get("q", "").strip()
    if text and "@" not in text:
        return call.redirect(f"/meetings/{quote(text, safe='')}")
    given = {name: form.get(name, "") for name in meeting_filters.FIELDS}
    if text:
        given["attendee"] = text.strip("<>")
    try:
        listed = parse(call, given)
    except InvalidRequest as error:
        return show_problems(call, given, error)
    if any(getattr(listed.query.filter, name) for name in ADDRESSES):
        return await show_list(call, listed, form.get("page", ""))
    return call.redirect(build_path(meeting_filters.format_list(listed)))


def parse(call: Call, given: Mapping[str, str]) -> ListedMeetings:
    times = call.times()
    return require_valid(meeting_filters.parse_filter(given, zone=times.zone, now=times.now))


def build_path(fields: Mapping[str, str], page: str = "") -> str:
    given = {**fields, **({"page": page} if page else {})}
    return f"/meetings?{urlencode(given)}" if given else "/meetings"


async def show_list(call: Call, listed: ListedMeetings, token: str) -> web.Response:
    query = listed.query
    found = await read(call, listed, token)
    next_token = query.encode_cursor(found.next_cursor)
    is_searched = any(getattr(query.filter, name) for name in ADDRESSES)
    exact = meeting_filters.format_query(query)
    here = build_path(meeting_filters.format_list(listed))
    return call.page(
        "meetings_found.html" if is_searched else "meetings.html",
        status=200,
        rows=[make_row(call, each) for each in found.meetings],
        here=call.link(here),
        source=call.link(build_path(exact, token) if token else here),
        next_page=call.link(build_path(exact, next_token)) if next_token else "",
        token=next_token,
        is_first=not token,
        is_searched=is_searched,
        described=meeting_filters.describe(query.filter),
        start_times=(None, None)
        if listed.when
        else (query.filter.start_time_from, query.filter.start_time_before),
        **form_values(meeting_filters.fill_form(listed, call.times().zone), when=listed.when),
    )


async def read(call: Call, listed: ListedMeetings, token: str) -> MeetingPage:
    after = require_valid(listed.query.parse_cursor(token))
    async with call.services.slots.listing.slot(call.within):
        return await call.services.read_meetings.read_page(
            listed.query, after, most=PAGE_SIZE, is_full=False, client=call.client
        )


def show_problems(call: Call, given: Mapping[str, str], error: InvalidRequest) -> web.Response:
    problems = {each.field: each.problem for each in error.violations}
    return call.page("meetings_filter.html", status=400, **form_values(given, problems))


def form_values(
    given: Mapping[str, str], problems: Mapping[str, str] | None = None, when: str = ""
) -> dict[str, object]:
    """Return what the forms of the page need."""
    names = meeting_filters.FIELDS
    return {
        "given": {name: given.get(name, "") for name in names},
        "problems": dict.fromkeys((*names, "filter"), "") | dict(problems or {}),
        "orders": [("", "as usual"), *meeting_filters.ORDER_NAMES.items()],
        "when": when,
        "whens": meeting_filters.WHENS,
    }


def make_row(call: Call, meeting: Meeting) -> Row:
    is_full = call.client.may_read_content(meeting.client)
    organizer = meeting.revision.organizer
    address = organizer.email if is_full else mask_local_part(organizer.email)
    invited = [each for each in meeting.attendees if not each.is_removed]
    return Row(
        meeting=meeting,
        mark=PHASE_MARKS[find_phase(meeting, call.times().now)],
        title=meeting.revision.summary if is_full else "",
        organizer=(organizer.name if is_full else "") or address,
        invited=len(invited),
        mails=Counter(each.delivery for each in invited if each.delivery is not None),
    )
