from datetime import UTC, datetime, timedelta, timezone

import pytest
from msgspec.structs import replace

from tests.support.calendars.events import REVISION


@pytest.mark.parametrize("field", ["stamp", "start", "end"])
@pytest.mark.parametrize(
    "moment",
    [
        datetime(2027, 1, 4, 8, tzinfo=UTC).replace(tzinfo=None),
        datetime(2027, 1, 4, 8, tzinfo=timezone(timedelta(hours=1))),
        datetime(2027, 1, 4, 8, microsecond=1, tzinfo=UTC),
    ],
)
def test_an_instant_is_in_whole_seconds_of_utc(field: str, moment: datetime) -> None:
    with pytest.raises(ValueError, match="is not in whole seconds of UTC"):
        replace(REVISION, **{field: moment})


@pytest.mark.parametrize("field", ["start_wall", "end_wall"])
def test_a_wall_time_has_no_offset(field: str) -> None:
    with pytest.raises(ValueError, match="has no offset"):
        replace(REVISION, **{field: REVISION.start})


def test_a_meeting_ends_after_its_start() -> None:
    with pytest.raises(ValueError, match="is not after"):
        replace(REVISION, end=REVISION.start)


@pytest.mark.parametrize("summary", ["", " ", "\t\n"])
def test_a_summary_is_not_blank(summary: str) -> None:
    with pytest.raises(ValueError, match="the summary is blank"):
        replace(REVISION, summary=summary)
