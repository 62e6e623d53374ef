"""The standard variables of every template, and sample values to validate templates with."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import NotRequired, TypedDict

from jinja2.defaults import DEFAULT_NAMESPACE
from msgspec.structs import replace

from gcsched.adapters.mail.meeting_changes import Change
from gcsched.adapters.mail.meeting_texts import MeetingTexts, Paragraph
from gcsched.adapters.mail.template_analysis import Names
from gcsched.domain.request import MEETING


class Variables(TypedDict):
    """The variables that every template has; *due* is in the time zone of the service.

    Only a mail about a meeting has *meeting*.
    """

    username: str
    empid: str
    email: str
    message: str
    due: datetime
    job_id: str
    meeting: NotRequired[MeetingTexts]


STANDARD_VARIABLES: Names = Variables.__required_keys__
MEETING_VARIABLES: Names = STANDARD_VARIABLES | {MEETING}
RESERVED_NAMES = MEETING_VARIABLES | DEFAULT_NAMESPACE.keys()
NO_VARIABLES: Mapping[str, str] = {}
FULL_SAMPLE = Variables(
    username="Zoë O'Neil <&>",
    empid="E-17",
    email="zoe@example.org",
    message="Release review & retrospective",
    due=datetime(2025, 11, 24, 9, 30, tzinfo=UTC),
    job_id="00000000000000000000000000000000",
)
SAMPLE_VALUE = "Example"
MINIMAL_SAMPLE: Variables = {**FULL_SAMPLE, "username": "", "empid": ""}

START, END = datetime(2027, 1, 5, 9, tzinfo=UTC), datetime(2027, 1, 5, 9, 30, tzinfo=UTC)
FULL_MEETING = MeetingTexts(
    summary=FULL_SAMPLE["message"],
    when="Tuesday, 5 January 2027, 09:00-09:30 (UTC)",
    start="Tuesday, 5 January 2027, 09:00",
    end="Tuesday, 5 January 2027, 09:30",
    zone="UTC",
    location="Room 4.2 <second floor>",
    url="https://meet.example.org/j/42?a=1&b=2",
    description=Paragraph("What was released?\nWhat is next?"),
    organizer="Zoë O'Neil <zoe@example.org>",
    start_time=START,
    end_time=END,
    reason="Two of us are <ill> & cannot come",
    changes=(
        Change(name="when", label="When", old="Monday, 4 January 2027", new="Tuesday, 5 January"),
        Change(name="location", label="Where", new="Room 4.2 <second floor>"),
        Change(name="url", label="Link", old="https://meet.example.org/j/41?a=1&b=2"),
    ),
)
MINIMAL_MEETING = replace(
    FULL_MEETING, location="", url="", description=Paragraph(), reason="", changes=()
)
SAMPLES: Sequence[Variables] = (FULL_SAMPLE, MINIMAL_SAMPLE)
MEETING_SAMPLES: Sequence[Variables] = (
    {**FULL_SAMPLE, "meeting": FULL_MEETING},
    {**MINIMAL_SAMPLE, "meeting": MINIMAL_MEETING},
    {**FULL_SAMPLE, "meeting": replace(FULL_MEETING, is_removal=True)},
)
