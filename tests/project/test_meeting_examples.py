"""The example files of docs/meetings.md are what the service makes today."""

from pathlib import Path

import pytest

from tests.measure.meeting_pictures import FILES, make_mail
from tests.support.calendars.exchange import problems_of
from tests.support.invitations import read_calendar
from tests.support.meeting_mails import KINDS, WITH_CALENDAR, a_meeting_job

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
REMEDY = "run `python -m tests.measure.meeting_pictures`"


@pytest.mark.parametrize("kind", KINDS)
def test_each_example_is_the_mail_of_today(kind: str) -> None:
    mail = (EXAMPLES / f"{kind}.eml").read_bytes()

    assert mail == make_mail(a_meeting_job(kind)), REMEDY


@pytest.mark.parametrize("kind", WITH_CALENDAR)
def test_each_calendar_is_that_of_its_mail(kind: str) -> None:
    file = (EXAMPLES / FILES.get(kind, f"{kind}.ics")).read_bytes()

    assert file == read_calendar((EXAMPLES / f"{kind}.eml").read_bytes()), REMEDY
    assert problems_of(file) == []
