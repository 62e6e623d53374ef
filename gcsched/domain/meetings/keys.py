"""Keys of the mails about meetings, and the etag and the fingerprint of a meeting. Pure.

A dedup key is unique in the store, so two processes that make the same mail make one job.
"""

import json
from datetime import datetime, timedelta
from hashlib import sha256

from gcsched.domain.address_folding import fold_address
from gcsched.domain.dedup import digest, event_texts
from gcsched.domain.ids import ETAG_LENGTH
from gcsched.domain.meeting_mail import Purpose
from gcsched.domain.meetings.drafts import MeetingDraft
from gcsched.domain.meetings.meeting import Attendee, Meeting

VERSION = b"meeting v1"


def mail_key(meeting: Meeting, attendee: Attendee, purpose: Purpose) -> str:
    """Return the key of the next mail for *purpose*.

    It is made of what the mail follows: of being added, or of the word that it corrects. Not of
    what it shows: two processes that plan from different versions of the meeting would make two
    mails. So each word has one correction at a time, which is changed while it waits.

    Never change what goes in here: with another key an attendee would get a mail a second time.
    """
    corrected = 0 if purpose is Purpose.INVITATION else attendee.word.revision
    return digest(VERSION, *_name(meeting, attendee), purpose, str(corrected))


def reminder_key(meeting: Meeting, attendee: Attendee, before: timedelta) -> str:
    """Return the key of the reminder *before* the start that the meeting has now."""
    return make_reminder_key(_name(meeting, attendee), meeting.revision.start, before)


def make_reminder_key(name: tuple[str, str, str], start: datetime, before: timedelta) -> str:
    seconds = str(int(before.total_seconds()))
    return digest(VERSION, *name, Purpose.REMINDER, start.isoformat(), seconds)


def _name(meeting: Meeting, attendee: Attendee) -> tuple[str, str, str]:
    return meeting.id, fold_address(attendee.email), str(attendee.invited_count)


def etag_of_meeting(meeting: Meeting) -> str:
    """Return the etag of *meeting*, which only changes of callers change; opaque, no quotes."""
    return sha256(f"meeting:{meeting.id}:{meeting.changes}".encode()).hexdigest()[:ETAG_LENGTH]


def fingerprint_draft(draft: MeetingDraft) -> str:
    """Derive a digest of all that a request to create a meeting asks for, but for its id."""
    texts, invite = draft.texts, draft.invite_time
    content = (
        draft.summary,
        [(each.email, each.name, each.empid, each.role) for each in draft.attendees],
        draft.guests_see_each_other,
        [(each.before.total_seconds(), each.template) for each in draft.reminders],
        "" if invite is None else invite.isoformat(),
        sorted((key, each.template, each.subject) for key, each in texts.mails.items()),
        sorted(texts.variables.items()),
        sorted(draft.labels.items()),
        draft.sender,
        draft.event.strict_time,
    )
    return digest(b"meeting content v1", json.dumps(content), *event_texts(draft.event))
