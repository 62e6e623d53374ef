from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

import pytest

from gcsched.domain.job import Job
from gcsched.domain.suppression import Suppression
from gcsched.errors import UnknownSuppression
from gcsched.usecases.management.suppressions import ManageSuppressions
from tests.support.builders import AN_ACTOR, NOW, FixedClock, a_job, a_suppression

MONTH = timedelta(days=30)


class FakeSuppressionStore:
    """Suppressions in a mapping; records the calls."""

    def __init__(self, *addresses: str) -> None:
        self.suppressions = {each: a_suppression(address=each) for each in addresses}

    async def read_page(self, after: str, *, most: int, now: datetime) -> list[Suppression]:
        assert now == NOW
        return [self.suppressions[each] for each in sorted(self.suppressions) if each > after][
            :most
        ]

    async def find_active(
        self, addresses: Collection[str], *, now: datetime
    ) -> Mapping[str, Suppression]:
        assert now == NOW
        return {each: self.suppressions[each] for each in addresses if each in self.suppressions}

    async def add_one(self, suppression: Suppression) -> Suppression:
        self.suppressions[suppression.address] = suppression
        return suppression

    async def remove(self, address: str, *, now: datetime) -> Suppression | None:
        assert now == NOW
        return self.suppressions.pop(address, None)


class NoJobs:
    """A store in which no job is being sent."""

    async def find_claimed(self, address: str) -> Sequence[Job]:
        return [] if address else [a_job()]

    async def find_begun(self, ids: Collection[str]) -> Collection[tuple[str, str]]:
        raise AssertionError(f"nothing has begun, and yet {ids} are looked at")

    async def change_all(self, pairs: Sequence[tuple[Job, Job]]) -> tuple[int, int]:
        raise AssertionError(f"nothing is claimed, and yet {pairs} is to be changed")


def a_use_case(store: FakeSuppressionStore) -> ManageSuppressions:
    return ManageSuppressions(store=store, jobs=NoJobs(), default_duration=MONTH, now=FixedClock())


async def test_an_address_is_suppressed_for_the_configured_time() -> None:
    suppression = await a_use_case(FakeSuppressionStore()).add(
        "a@x.org", reason="asked for it", until=None, actor=AN_ACTOR
    )

    assert suppression == Suppression(
        address="a@x.org",
        reason="asked for it",
        job_id="",
        create_time=NOW,
        expire_time=NOW + MONTH,
    )


async def test_a_given_expire_time_is_used() -> None:
    end = NOW + timedelta(days=1)

    suppression = await a_use_case(FakeSuppressionStore()).add(
        "a@x.org", reason="asked for it", until=end, actor=AN_ACTOR
    )

    assert suppression.expire_time == end


async def test_removing_returns_the_suppression() -> None:
    suppressions = a_use_case(FakeSuppressionStore("a@x.org"))

    assert (await suppressions.remove("a@x.org")).job_id == "job-0"
    with pytest.raises(UnknownSuppression):
        await suppressions.remove("a@x.org")


async def test_a_full_last_page_has_no_next_address() -> None:
    suppressions = a_use_case(FakeSuppressionStore("a@x.org", "b@x.org", "c@x.org", "d@x.org"))

    first = await suppressions.read_page("", most=2)
    last = await suppressions.read_page(first.next_address, most=2)

    assert first.next_address == "b@x.org"
    assert [each.address for each in last.suppressions] == ["c@x.org", "d@x.org"]
    assert last.next_address == ""
