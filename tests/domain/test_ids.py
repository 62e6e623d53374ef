from datetime import UTC, datetime, timedelta
from uuid import RFC_4122, UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from gcsched.domain.ids import new_id
from tests.support.builders import NOW

MOMENTS = st.timedeltas(timedelta(0), timedelta(days=365 * 100)).map(NOW.__add__)


def test_an_id_is_a_uuid_of_version_7_in_32_lower_case_digits() -> None:
    made = new_id(NOW)

    uuid = UUID(made)
    assert (uuid.version, uuid.variant) == (7, RFC_4122)
    assert made == uuid.hex


def test_an_id_begins_with_its_time_as_the_example_of_rfc_9562_does() -> None:
    # RFC 9562, appendix A.6: 017F22E2-79B0-7CC3-98C4-DC0C0C07398F
    moment = datetime(2022, 2, 22, 19, 22, 22, tzinfo=UTC)

    made = new_id(moment)

    assert made.startswith("017f22e279b07")


def test_ids_of_one_moment_differ() -> None:
    made = {new_id(NOW) for _ in range(1000)}

    assert len(made) == 1000


@given(first=MOMENTS, second=MOMENTS)
@settings(deadline=None, max_examples=50)
def test_ids_sort_by_time(first: datetime, second: datetime) -> None:
    earlier, later = sorted([first, second])
    later = max(later, earlier + timedelta(milliseconds=1))

    assert new_id(earlier) < new_id(later)


@given(moment=MOMENTS)
@settings(deadline=None, max_examples=200)
def test_an_id_tells_the_millisecond_that_mongodb_keeps(moment: datetime) -> None:
    kept = moment.replace(microsecond=moment.microsecond // 1000 * 1000)

    assert new_id(moment)[:12] == new_id(kept)[:12]
    assert new_id(moment)[:12] < new_id(kept + timedelta(milliseconds=1))[:12]
