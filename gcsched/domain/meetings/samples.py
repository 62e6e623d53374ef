"""The meeting of a preview or a test mail: an example, of which nothing is stored. Pure."""

from datetime import timedelta

from msgspec.structs import replace

from gcsched.domain.meeting import MeetingRevision
from gcsched.domain.meeting_mail import MeetingMail, Purpose
from gcsched.domain.meetings.mails import TEMPLATES

DAY = timedelta(days=1)
EARLIER_LOCATION = "Room 3.1, first floor"
REASON = "Two of us are ill."
PURPOSES = {template: purpose for purpose, template in TEMPLATES.items()}


def make_sample_mail(revision: MeetingRevision, template: str) -> MeetingMail:
    """Return a mail about *revision*, as the service makes it by *template*.

    That is an invitation for templates that the service uses for no mail by itself.
    """
    purpose = PURPOSES.get(template, Purpose.INVITATION)
    example = replace(revision, meeting_id="")
    if purpose is Purpose.INVITATION:
        return MeetingMail(revision=example)
    latest = replace(example, number=2, sequence=1)
    match purpose:
        case Purpose.UPDATE:
            return MeetingMail(revision=latest, purpose=purpose, earlier=move_back(example))
        case Purpose.CANCELLATION:
            return MeetingMail(revision=replace(latest, reason=REASON), purpose=purpose)
        case _:
            return MeetingMail(revision=example, purpose=purpose)


def move_back(revision: MeetingRevision) -> MeetingRevision:
    """Return *revision* a day before, at another place."""
    return replace(
        revision,
        start=revision.start - DAY,
        end=revision.end - DAY,
        start_wall=revision.start_wall - DAY,
        end_wall=revision.end_wall - DAY,
        location=EARLIER_LOCATION,
    )
