"""What templates say about a meeting. The oracle for its times is the zone itself."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from gcsched.adapters.mail.meeting_texts import MeetingTexts
from gcsched.domain.meeting import MeetingRevision, Person
from gcsched.domain.meeting_mail import MeetingMail
from tests.support.invitations import INTERVIEW, an_invitation_job


def a_meeting(zone: str, start: str, end: str) -> MeetingRevision:
    """Build a meeting from instants in UTC."""
    instants = [datetime.fromisoformat(each).replace(tzinfo=UTC) for each in (start, end)]
    walls = [each.astimezone(ZoneInfo(zone)).replace(tzinfo=None) for each in instants]
    meeting = an_invitation_job(
        start=instants[0], end=instants[1], start_wall=walls[0], end_wall=walls[1], zone=zone
    ).revision
    assert meeting is not None
    return meeting


def describe(revision: MeetingRevision) -> MeetingTexts:
    return MeetingTexts.describe(MeetingMail(revision=revision))


@pytest.mark.parametrize(
    ("zone", "start", "end", "when"),
    [
        (
            *("Europe/Berlin", "2027-01-05T08:00", "2027-01-05T08:30"),
            "Tuesday, 5 January 2027, 09:00-09:30 (Europe/Berlin, UTC+1)",
        ),
        (
            *("Asia/Kolkata", "2027-12-31T18:00", "2027-12-31T19:00"),
            (
                "Friday, 31 December 2027, 23:30 - Saturday, 1 January 2028, 00:30"
                " (Asia/Kolkata, UTC+5:30)"
            ),
        ),
        (
            *("America/St_Johns", "2027-02-01T12:00", "2027-02-01T12:30"),
            "Monday, 1 February 2027, 08:30-09:00 (America/St_Johns, UTC-3:30)",
        ),
        (
            *("UTC", "2027-02-01T12:00", "2027-02-01T12:30"),
            "Monday, 1 February 2027, 12:00-12:30 (UTC)",
        ),
        (
            *("Europe/London", "2027-02-01T12:00", "2027-02-01T12:30"),
            "Monday, 1 February 2027, 12:00-12:30 (Europe/London, UTC)",
        ),
        (  # the clocks go back in between: half past two comes twice
            *("Europe/Berlin", "2027-10-31T00:30", "2027-10-31T01:30"),
            "Sunday, 31 October 2027, 02:30-02:30 (Europe/Berlin, UTC+2, later UTC+1)",
        ),
    ],
)
def test_the_time_is_in_the_words_of_the_zone(zone: str, start: str, end: str, when: str) -> None:
    meeting = a_meeting(zone, start, end)

    texts = describe(meeting)

    assert texts.when == when
    assert texts.when.endswith(f" ({texts.zone})")
    assert texts.when.startswith(texts.start)
    assert texts.start_time == meeting.start
    assert texts.end_time == meeting.end
    assert texts.start_time.astimezone(ZoneInfo(zone)).utcoffset() == texts.start_time.utcoffset()


def test_days_and_months_are_those_of_the_calendar() -> None:
    for days in range(400):
        start = datetime(2027, 1, 1, 12, tzinfo=UTC) + timedelta(days=days)
        meeting = a_meeting("UTC", f"{start:%Y-%m-%dT%H:%M}", f"{start:%Y-%m-%dT}12:30")

        texts = describe(meeting)

        assert texts.start == f"{start:%A}, {start.day} {start:%B} {start:%Y}, 12:00"
        assert texts.end == f"{start:%A}, {start.day} {start:%B} {start:%Y}, 12:30"


def test_an_organizer_without_a_name_is_an_address() -> None:
    named = describe(INTERVIEW).organizer
    job = an_invitation_job(organizer=Person("meet@example.org"))
    assert job.revision is not None

    assert named == "People Team <people@example.org>"
    assert describe(job.revision).organizer == "meet@example.org"
