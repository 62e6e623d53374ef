"""Checks requests to create a meeting. Pure."""

from gcsched.domain.checks import Checked, rename_fields
from gcsched.domain.event import read_event
from gcsched.domain.meetings.attendee_checks import organizer_violations, read_attendees
from gcsched.domain.meetings.checking import Checking, read_invite_time, read_summary
from gcsched.domain.meetings.drafts import MeetingDraft
from gcsched.domain.meetings.keys import fingerprint_draft
from gcsched.domain.meetings.text_checks import reminder_violations, texts_violations
from gcsched.domain.meetings.values import MeetingValues, NewMeeting
from gcsched.domain.validation import label_violations, request_id_violations

ATTENDEES = "meeting.attendees"
SENDER = {"sender": "meeting.sender"}


def read_new_meeting(draft: MeetingDraft, checking: Checking) -> Checked[NewMeeting | None]:
    """Check *draft*; return None if its times are invalid."""
    context, client = checking.context, checking.client
    summary = yield from read_summary(draft.summary)
    choice = context.senders.read_choice(draft.sender, client)
    sender = context.senders.choose((yield from rename_fields(choice, SENDER)), client)
    organizers = context.organizers.of_sender(sender)
    occasion = yield from rename_fields(
        read_event(
            draft.event,
            now=checking.now,
            attendee="",
            organizers=organizers,
            rules=context.address_rules,
        ),
        {"event": "meeting"},
    )
    attendees = yield from read_attendees(draft.attendees, ATTENDEES, context, client)
    if occasion is not None:
        yield from organizer_violations(attendees, ATTENDEES, occasion.organizer)
    yield from setting_violations(draft, checking)
    if draft.request_id:
        yield from request_id_violations(draft.request_id)
    if occasion is None:
        return None
    values = MeetingValues(
        summary=summary,
        occasion=occasion,
        zone_version=checking.zone_version,
        sent_by=organizers.find_sent_by(occasion.organizer),
        reminders=draft.reminders,
        guests_see_each_other=draft.guests_see_each_other,
        invite_time=(yield from read_invite_time(draft.invite_time, occasion.start, checking.now)),
        texts=draft.texts,
        labels=draft.labels,
        strict_time=draft.event.strict_time,
    )
    return NewMeeting(
        values=values,
        attendees=attendees,
        sender=sender,
        request_id=draft.request_id,
        fingerprint=fingerprint_draft(draft) if draft.request_id else "",
    )


def setting_violations(draft: MeetingDraft, checking: Checking) -> Checked[None]:
    """Check reminders, texts and labels."""
    context, client = checking.context, checking.client
    yield from reminder_violations(draft.reminders, context, client)
    yield from texts_violations(draft.texts, draft.reminders, context, client)
    yield from rename_fields(label_violations(draft.labels), {"labels": "meeting.labels"})
