from msgspec.structs import replace

from gcsched.domain.ids import etag_of
from tests.support.builders import NOW, a_claimed_job, a_job


def test_the_same_version_has_the_same_opaque_etag() -> None:
    assert etag_of(a_job()) == etag_of(a_job())
    assert etag_of(a_job()).isalnum()


def test_each_move_changes_the_etag() -> None:
    claimed = a_claimed_job()
    given_back = claimed.unclaimed(NOW)

    assert len({etag_of(job) for job in (a_job(), claimed, given_back)}) == 3


def test_the_etag_of_another_job_never_matches() -> None:
    assert etag_of(a_job()) != etag_of(a_job(id="job-2"))
    assert etag_of(a_job(id="job-1", version=11)) != etag_of(a_job(id="job-11", version=1))


def test_fields_that_a_list_does_not_read_do_not_change_the_etag() -> None:
    """A list reads less of a job than GetJob does."""
    assert etag_of(replace(a_job(), message="")) == etag_of(a_job())
