"""The changes that callers make to meetings. Pure. Each makes a revision.

Each function returns the changed meeting, with the step of its caller, its `version` and `changes`
raised by one, and `check_time` at once. It returns the very meeting that it was given if that is as
the caller wants it already. The caller of a change first folds in what jobs prove (`fold_jobs`).
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from gcsched.domain.address_folding import fold_address
from gcsched.domain.calendar_file import Method
from gcsched.domain.ids import new_id
from gcsched.domain.meeting import MeetingRevision
from gcsched.domain.meetings.acts import Act, make_step, record, require_changeable
from gcsched.domain.meetings.meeting import Attendee, Meeting, MeetingState, Told
from gcsched.domain.meetings.revisions import has_same_content, is_any_told, list_guests, revise
from gcsched.domain.meetings.values import MeetingValues, NewMeeting
from gcsched.domain.organizer import encode_domain
from gcsched.errors import MeetingOver, UnknownAttendee


def create_meeting(new: NewMeeting, act: Act) -> Meeting:
    """Return the meeting that *new* describes, with an id of its own."""
    values, meeting_id = new.values, new_id(act.now)
    domain = encode_domain(values.occasion.organizer.email.rpartition("@")[2])
    guests = list_guests(new.attendees, are_visible=values.guests_see_each_other)
    revision = MeetingRevision(
        meeting_id=meeting_id,
        uid=f"{meeting_id}@{domain}",
        number=1,
        sequence=0,
        stamp=act.now.replace(microsecond=0),
        organizer=values.occasion.organizer,
        sent_by=values.sent_by,
        guests=guests,
        **find_content(values),
    )
    return Meeting(
        revision=revision,
        attendees=new.attendees,
        reminders=values.reminders,
        guests_see_each_other=values.guests_see_each_other,
        invite_time=values.invite_time or act.now.replace(microsecond=0),
        texts=values.texts,
        labels=values.labels,
        sender=new.sender,
        strict_time=values.strict_time,
        client=act.actor.client.name,
        request_id=new.request_id,
        fingerprint=new.fingerprint,
        create_time=act.now,
        update_time=act.now,
        check_time=act.now,
        steps=(make_step(act, revision.number),),
    )


def update_meeting(meeting: Meeting, values: MeetingValues, act: Act) -> Meeting:
    """Return *meeting* with *values*. Raises MeetingCancelled and MeetingOver.

    After the start it is over, unless the new start is ahead.
    """
    require_changeable(meeting, act.now)
    if meeting.revision.start <= act.now and values.occasion.start <= act.now:
        raise MeetingOver(meeting.id, meeting.revision.end)
    guests = list_guests(meeting.attendees, are_visible=values.guests_see_each_other)
    content = {**find_content(values), "guests": guests}
    changed = replace(meeting, **find_settings(meeting, values, act.now))
    is_new_word = changed.guests_see_each_other != meeting.guests_see_each_other
    if not has_same_content(replace(meeting.revision, **content), meeting.revision):
        is_new_word = True
    if changed == meeting and not is_new_word:
        return meeting
    raises = is_new_word and is_corrected(meeting)
    revision = revise(meeting, act.now, raises_sequence=raises, **content)
    changed = replace(changed, revision=revision)
    if is_new_word:
        changed = replace(changed, content_revision=revision.number)
    if changed.invite_time != meeting.invite_time:
        changed = replace(changed, invite_revision=revision.number)
    if changed.reminders != meeting.reminders:
        changed = replace(changed, reminder_revision=revision.number)
    return record(meeting, changed, act)


def find_settings(meeting: Meeting, values: MeetingValues, now: datetime) -> dict[str, Any]:
    """Return the fields of *meeting* beside its revision that *values* set."""
    return {
        "reminders": values.reminders,
        "guests_see_each_other": values.guests_see_each_other,
        "texts": values.texts,
        "labels": values.labels,
        "strict_time": values.strict_time,
        "invite_time": choose_invite_time(meeting, values, now),
    }


def cancel_meeting(meeting: Meeting, act: Act) -> Meeting:
    """Return *meeting* cancelled. Raises MeetingOver; a cancelled one stays as it is."""
    if not meeting.is_scheduled:
        return meeting
    require_changeable(meeting, act.now)
    raises = is_corrected(meeting)
    revision = revise(meeting, act.now, raises_sequence=raises, reason=act.reason)
    changed = replace(
        meeting,
        state=MeetingState.CANCELLED,
        revision=revision,
        content_revision=revision.number,
    )
    return record(meeting, changed, act)


def is_corrected(meeting: Meeting) -> bool:
    """Return whether a change corrects what an attendee has, may have, or may have had."""
    return meeting.revision.sequence > 0 or is_any_told(meeting.attendees)


def find_content(values: MeetingValues) -> dict[str, Any]:
    """Return the fields of a revision that a caller sets."""
    occasion = values.occasion
    return {
        "start": occasion.start,
        "end": occasion.end,
        "start_wall": occasion.start_wall,
        "end_wall": occasion.end_wall,
        "zone": occasion.zone,
        "zone_version": values.zone_version,
        "summary": values.summary,
        "location": occasion.location,
        "url": occasion.url,
        "description": occasion.description,
    }


def choose_invite_time(meeting: Meeting, values: MeetingValues, now: datetime) -> datetime:
    """Return when the invitations go; "now" changes nothing once their time has come."""
    if values.invite_time is not None:
        return values.invite_time
    return min(meeting.invite_time, now.replace(microsecond=0))


def add_attendees(
    meeting: Meeting, attendees: Sequence[Attendee], act: Act, *, tell_others: bool = False
) -> Meeting:
    """Return *meeting* with *attendees* as well. Raises MeetingCancelled and MeetingOver.

    It is over for them once it has started: no invitation comes after that. Those who are invited
    already stay as they are.
    """
    require_changeable(meeting, act.now)
    latest = meeting.revision
    if latest.start <= act.now:
        raise MeetingOver(meeting.id, latest.end)
    known = {fold_address(each.email): each for each in meeting.attendees if each.email}
    added = {
        address: invite(each, found, meeting)
        for each in attendees
        if (found := known.get(address := fold_address(each.email))) is None or found.is_removed
    }
    if not added:
        return meeting
    merged = merge_attendees(meeting.attendees, added)
    guests = list_guests(merged, are_visible=meeting.guests_see_each_other)
    told_others = tell_others and is_corrected(meeting)
    raises = told_others or any(needs_higher(each, latest.sequence) for each in added.values())
    revision = revise(meeting, act.now, raises_sequence=raises, guests=guests)
    changed = replace(meeting, attendees=merged, revision=revision)
    if tell_others:
        changed = replace(changed, content_revision=revision.number)
    return record(meeting, changed, act)


def invite(attendee: Attendee, removed: Attendee | None, meeting: Meeting) -> Attendee:
    """Return *attendee* as added to *meeting*; it keeps its last word if it was *removed*.

    Its mails then are others, and show the next revision or a later one. One who was forgotten may
    be the same person, and the jobs of that time still hold their keys.
    """
    if removed is None:
        forgotten = [each.invited_count for each in meeting.attendees if not each.email]
        return replace(attendee, invited_count=max(forgotten, default=0) + 1)
    return replace(
        attendee,
        invited_count=removed.invited_count + 1,
        invited_revision=meeting.revision.number + 1,
        word=removed.word,
        thread=removed.thread,
    )


def needs_higher(attendee: Attendee, sequence: int) -> bool:
    """Return whether an invitation with *sequence* would not correct a cancellation."""
    word = attendee.word
    is_uninvited = word.told is not Told.NOTHING and word.method is Method.CANCEL
    return is_uninvited and word.sequence >= sequence


def merge_attendees(
    attendees: Sequence[Attendee], changed: dict[str, Attendee]
) -> tuple[Attendee, ...]:
    """Return *attendees* with the *changed* ones, by folded address, in their places or last."""
    places = {fold_address(each.email) or str(n): each for n, each in enumerate(attendees)}
    return tuple({**places, **changed}.values())


def remove_attendees(meeting: Meeting, emails: Sequence[str], act: Act) -> Meeting:
    """Return *meeting* with the attendees of *emails*, in any spelling, removed.

    Raises UnknownAttendee, MeetingCancelled and MeetingOver.
    """
    require_changeable(meeting, act.now)
    known = {fold_address(each.email): each for each in meeting.attendees if each.email}
    unknown = [n for n, email in enumerate(emails) if fold_address(email) not in known]
    if unknown:
        raise UnknownAttendee(meeting.id, [f"emails[{n}]" for n in unknown])
    found = {address: known[address] for address in map(fold_address, emails)}
    leaving = {address: each for address, each in found.items() if not each.is_removed}
    if not leaving:
        return meeting
    number = meeting.revision.number + 1
    removed = {
        address: replace(each, is_removed=True, removed_revision=number, removal_reason=act.reason)
        for address, each in leaving.items()
    }
    merged = merge_attendees(meeting.attendees, removed)
    guests = list_guests(merged, are_visible=meeting.guests_see_each_other)
    # Cancellations of an earlier removal may have the present SEQUENCE, if that is not the first.
    raises = is_any_told(leaving.values()) or meeting.revision.sequence > 0
    revision = revise(meeting, act.now, raises_sequence=raises, guests=guests)
    return record(meeting, replace(meeting, attendees=merged, revision=revision), act)
