"""All mails about one meeting, as jobs: it is moved, Ada is reminded, removed, or it is off."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from msgspec import structs

from gcsched.domain.job import Job
from gcsched.domain.meeting_mail import MeetingMail, Purpose
from tests.support.invitations import INTERVIEW, an_invitation_job

LATER = timedelta(days=1, hours=5)
FIRST_ID = "019b90a6e2c37d5b8a9b0c1d2e3f4a5b@example.org"
MOVED = structs.replace(
    INTERVIEW,
    number=2,
    sequence=1,
    stamp=INTERVIEW.stamp + timedelta(hours=1),
    start=INTERVIEW.start + LATER,
    end=INTERVIEW.end + LATER,
    start_wall=INTERVIEW.start_wall + LATER,
    end_wall=INTERVIEW.end_wall + LATER,
    location="Library, first floor",
    description=f"{INTERVIEW.description}\n- some tea",
)
CANCELLED = structs.replace(
    MOVED,
    number=3,
    sequence=2,
    stamp=MOVED.stamp + timedelta(hours=1),
    reason="Two of us are ill; we will find another day.",
)
MAILS: Mapping[str, MeetingMail] = {
    "invitation": MeetingMail(revision=INTERVIEW),
    "update": MeetingMail(
        revision=MOVED, purpose=Purpose.UPDATE, earlier=INTERVIEW, references=FIRST_ID
    ),
    "reminder": MeetingMail(revision=MOVED, purpose=Purpose.REMINDER, references=FIRST_ID),
    "removal": MeetingMail(
        revision=structs.replace(CANCELLED, reason="The panel has three members now."),
        purpose=Purpose.CANCELLATION,
        references=FIRST_ID,
        is_removal=True,
    ),
    "cancellation": MeetingMail(
        revision=CANCELLED, purpose=Purpose.CANCELLATION, references=FIRST_ID
    ),
}
SUBJECTS = {
    "invitation": "",
    "update": "Updated: ",
    "reminder": "Reminder: ",
    "removal": "No longer invited: ",
    "cancellation": "Cancelled: ",
}
KINDS = tuple(MAILS)
WITH_CALENDAR = tuple(each for each in KINDS if each != "reminder")


def a_meeting_job(
    kind: str,
    *,
    job: dict[str, Any] | None = None,
    mail: dict[str, Any] | None = None,
    **meeting: Any,
) -> Job:
    """Build the job of one of MAILS; *mail* and *meeting* are other values of the two."""
    usual = MAILS[kind]
    revision = structs.replace(usual.revision, **meeting)
    about = structs.replace(usual, revision=revision, **(mail or {}))
    number = KINDS.index(kind)
    fields: dict[str, Any] = {
        "id": f"019b90a6e2c37d5b8a9b0c1d2e3f4a5{number or 'b'}",
        "message": f"{SUBJECTS[kind]}{revision.summary}"[:998],
        "message_id": FIRST_ID.replace("4a5b", f"4a5{number or 'b'}"),
        "template": "cancellation" if kind == "removal" else kind,
        "meeting": about,
        **(job or {}),
    }
    return an_invitation_job(job=fields)
