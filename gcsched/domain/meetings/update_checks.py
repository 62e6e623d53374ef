"""Checks requests to update a meeting: a mask names the fields to change (AIP-134). Pure.

Fields that stay are not checked again: the rules may have changed since they were accepted.
"""

from collections.abc import Collection, Iterator, Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import replace

from gcsched.domain.address_folding import fold_address
from gcsched.domain.caller_text import quote
from gcsched.domain.checks import Checked, find_valid, rename_fields
from gcsched.domain.event import (
    MAX_LOCATION_LENGTH,
    Event,
    Occasion,
    description_violations,
    find_start,
    format_wall,
    read_times,
    to_wall,
)
from gcsched.domain.meeting import MeetingRevision
from gcsched.domain.meetings.checking import INVITE_AT, Checking, read_invite_time, read_summary
from gcsched.domain.meetings.drafts import MeetingDraft
from gcsched.domain.meetings.meeting import Meeting, MeetingTexts
from gcsched.domain.meetings.revisions import is_any_told
from gcsched.domain.meetings.text_checks import reminder_violations, texts_violations
from gcsched.domain.meetings.values import MeetingValues
from gcsched.domain.organizer import is_same_mailbox
from gcsched.domain.senders import parse_sender_key
from gcsched.domain.validation import label_violations, text_violations
from gcsched.domain.web_link import parse_link
from gcsched.domain.zoned_time import zone_violations
from gcsched.errors import Violation

LENGTHS = ("end", "duration")
TIMES = ("start", "time_zone", *LENGTHS)
TEXTS = ("location", "url", "description")
SETTINGS = ("reminders", "guests_see_each_other", "texts", "labels")
CHANGEABLE = ("summary", *TIMES, *TEXTS, *SETTINGS, "strict_time", "invite_at")
ALL = "*"
MASK = "update_mask"
SECOND = timedelta(seconds=1)
TO_MEETING = {"event": "meeting"}
USE_METHODS = "use AddAttendees and RemoveAttendees"


def read_update(
    draft: MeetingDraft, mask: Collection[str] | None, meeting: Meeting, checking: Checking
) -> Checked[MeetingValues | None]:
    """Check what *draft* makes of *meeting*; return None if its times are invalid."""
    paths = yield from read_mask(draft, mask)
    if mask is None or ALL in mask:
        yield from constant_violations(draft, meeting, checking)
    values = find_values(meeting)
    changes: dict[str, Any] = {name: getattr(draft, name) for name in SETTINGS if name in paths}
    if "summary" in paths:
        changes["summary"] = yield from read_summary(draft.summary)
    if "strict_time" in paths:
        changes["strict_time"] = draft.event.strict_time
    values = replace(values, **changes)
    yield from setting_violations(values, paths, checking)
    occasion = yield from read_texts(draft.event, values.occasion, paths)
    if not paths.isdisjoint(TIMES):
        moved = yield from read_times_of_update(draft.event, meeting, paths, checking.now)
        if moved is None:
            return None
        occasion = replace(occasion, **moved)
        values = replace(values, zone_version=checking.zone_version)
    values = replace(values, occasion=occasion)
    if "invite_at" in paths:
        invite_time = yield from read_new_invite_time(draft, meeting, values, checking.now)
        return replace(values, invite_time=invite_time)
    yield from invitation_violations(meeting, values, checking.now)
    return values


def read_mask(draft: MeetingDraft, mask: Collection[str] | None) -> Checked[AbstractSet[str]]:
    """Return the fields to change; those of *draft* that are set if there is no *mask*."""
    if mask is None:
        return frozenset(list_set_fields(draft))
    if ALL in mask:
        if len(mask) > 1:
            yield Violation(MASK, f"must be {ALL} alone, or the names of fields")
        return frozenset(CHANGEABLE)
    for path in sorted(set(mask) - set(CHANGEABLE)):
        if path in {"attendees", "meeting.attendees"}:
            yield Violation(MASK, f"must not have {path}: {USE_METHODS}")
        else:
            problem = f"must have fields that can change: {', '.join(CHANGEABLE)}"
            yield Violation(MASK, f"{problem}; {quote(path)} is none of them")
    return frozenset(mask)


def list_set_fields(draft: MeetingDraft) -> Iterator[str]:
    event = draft.event
    given: Mapping[str, object] = {
        "summary": draft.summary,
        "invite_at": draft.invite_time,
        "duration": event.duration is not None,
        "texts": draft.texts != MeetingTexts(),
        **{name: getattr(draft, name) for name in SETTINGS if name != "texts"},
        **{name: getattr(event, name) for name in ("start", "end", "time_zone", *TEXTS)},
        "strict_time": event.strict_time,
    }
    return (name for name, value in given.items() if value)


def constant_violations(draft: MeetingDraft, meeting: Meeting, checking: Checking) -> Checked[None]:
    """Check what *draft* says about fields that an update cannot change: nothing, or the same."""
    organizer = draft.event.organizer
    known = meeting.revision.organizer
    if organizer is not None and not is_same_mailbox(organizer.email, known.email):
        yield Violation("meeting.organizer", "must stay as it is: create a new meeting instead")
    if draft.attendees:
        named = {fold_address(each.email) for each in draft.attendees}
        present = {fold_address(each.email): each for each in meeting.attendees}
        invited = {address for address, each in present.items() if not each.is_removed}
        if not invited <= named <= present.keys():
            yield Violation("meeting.attendees", f"must stay as they are: {USE_METHODS}")
    if draft.sender:
        senders, client = checking.context.senders, checking.client
        key = find_valid(parse_sender_key(draft.sender))
        if key is None or senders.choose(key, client) != meeting.sender:
            yield Violation("meeting.sender", "must stay as it is: create a new meeting instead")


def find_values(meeting: Meeting) -> MeetingValues:
    """Return what a caller can change of *meeting*, as it is."""
    revision = meeting.revision
    return MeetingValues(
        summary=revision.summary,
        occasion=Occasion(
            start=revision.start,
            end=revision.end,
            start_wall=revision.start_wall,
            end_wall=revision.end_wall,
            zone=revision.zone,
            location=revision.location,
            url=revision.url,
            description=revision.description,
            organizer=revision.organizer,
        ),
        zone_version=revision.zone_version,
        sent_by=revision.sent_by,
        reminders=meeting.reminders,
        guests_see_each_other=meeting.guests_see_each_other,
        invite_time=meeting.invite_time,
        texts=meeting.texts,
        labels=meeting.labels,
        strict_time=meeting.strict_time,
    )


def setting_violations(
    values: MeetingValues, paths: AbstractSet[str], checking: Checking
) -> Checked[None]:
    context, client = checking.context, checking.client
    if "reminders" in paths:
        yield from reminder_violations(values.reminders, context, client)
    if "texts" in paths or "reminders" in paths:
        yield from texts_violations(values.texts, values.reminders, context, client)
    if "labels" in paths:
        yield from rename_fields(label_violations(values.labels), {"labels": "meeting.labels"})


def read_texts(event: Event, occasion: Occasion, paths: AbstractSet[str]) -> Checked[Occasion]:
    """Return *occasion* with the place, the link and the description of *event* in *paths*."""
    if "location" in paths:
        location = event.location.strip()
        yield from text_violations(
            "meeting.location", location, at_least=0, at_most=MAX_LOCATION_LENGTH
        )
        occasion = replace(occasion, location=location)
    if "url" in paths:
        url = (yield from parse_link(event.url, "meeting.url")) if event.url else ""
        occasion = replace(occasion, url=url)
    if "description" in paths:
        yield from rename_fields(description_violations(event.description), TO_MEETING)
        occasion = replace(occasion, description=event.description.strip())
    return occasion


def read_times_of_update(
    event: Event, meeting: Meeting, paths: AbstractSet[str], now: datetime
) -> Checked[dict[str, Any] | None]:
    """Return the times of an occasion and their zone; None if they are invalid."""
    merged, latest = merge_times(event, meeting, paths), meeting.revision
    zone = yield from zone_violations(merged.time_zone, "meeting.time_zone")
    if find_start(merged) == latest.start:
        now = min(now, latest.start - SECOND)  # a start that stays may be past
    times = yield from rename_fields(read_times(merged, zone, now), TO_MEETING)
    if times is None:
        return None
    return {
        "start": times.start.instant,
        "end": times.end,
        "start_wall": to_wall(times.start.instant, zone),
        "end_wall": to_wall(times.end, zone),
        "zone": merged.time_zone,
        "time_note": "; ".join(filter(None, times.notes)),
    }


def merge_times(event: Event, meeting: Meeting, paths: AbstractSet[str]) -> Event:
    """Return the times of *event* in *paths*, with the present ones where it has none."""
    latest = meeting.revision
    if event.end and event.duration is not None and paths >= set(LENGTHS):
        event = drop_present_length(event, latest)
    has_length = not paths.isdisjoint(LENGTHS)
    return Event(
        start=event.start if "start" in paths else format_wall(latest.start_wall),
        time_zone=event.time_zone if "time_zone" in paths else latest.zone,
        end=event.end if "end" in paths else "",
        duration=event.duration
        if "duration" in paths
        else (None if has_length else latest.end - latest.start),
        strict_time=event.strict_time if "strict_time" in paths else meeting.strict_time,
    )


def drop_present_length(event: Event, latest: MeetingRevision) -> Event:
    """Return *event*, which has an end and a duration as answers do, with the one that is new.

    So a meeting can be read, changed in one field and sent back. A new start alone moves the end.
    """
    if event.end == format_wall(latest.end_wall):
        return replace(event, end="")
    if event.duration == latest.end - latest.start:
        return replace(event, duration=None)
    return event


def read_new_invite_time(
    draft: MeetingDraft, meeting: Meeting, values: MeetingValues, now: datetime
) -> Checked[datetime | None]:
    """Check a new time of the invitations, which can change while none of them has begun."""
    invite_time = yield from read_invite_time(draft.invite_time, values.occasion.start, now)
    stays = invite_time == meeting.invite_time or (
        invite_time is None and meeting.invite_time <= now
    )
    if is_any_told(meeting.attendees) and not stays:
        yield Violation(INVITE_AT, "must stay as it is: an invitation has begun")
    return invite_time


def invitation_violations(meeting: Meeting, values: MeetingValues, now: datetime) -> Checked[None]:
    """Check that invitations which wait can still come before the start."""
    if now < meeting.invite_time and values.occasion.start <= meeting.invite_time:
        invite = f"{meeting.invite_time:%Y-%m-%dT%H:%MZ}"
        problem = f"must be after the invitations go, {invite}; change invite_at as well"
        yield Violation("meeting.start", problem)
