from datetime import datetime

import pytest

from gcsched.domain.recipient import Recipient
from gcsched.errors import StoreUnavailable, UnknownRecipient
from gcsched.usecases.management.recipients import MAX_BATCH_SIZE, ForgetResult, ManageRecipients
from gcsched.usecases.ports import ErasedBatch, ErasedMeetings
from tests.support.builders import NOW, FixedClock

ADA = Recipient(
    empid="E1",
    name="Ada",
    email="ada@example.org",
    first_seen_time=NOW,
    last_seen_time=NOW,
    accepted_count=1,
)


class FakePersonalData:
    """Jobs named by numbers, all of E1; those in *busy* change meanwhile."""

    def __init__(self, *, finished: int, unfinished: int = 0, busy: int = 0) -> None:
        self.recipients = {"E1": ADA}
        self.left = [f"{number:06d}" for number in range(finished)]
        self.busy = set(self.left[:busy])
        self.batches: list[int] = []
        self._unfinished = unfinished
        self.is_away = False
        self.meetings: list[str] = []
        self.meetings_ahead: set[str] = set()
        self.erased_meetings: list[str] = []

    async def find_recipient(self, empid: str) -> Recipient | None:
        return self.recipients.get(empid)

    async def count_unfinished(self, _: str) -> int:
        return self._unfinished

    async def count_erasable(self, _: str) -> int:
        return len(self.left)

    async def erase_jobs(self, _: str, *, after: str, most: int, now: datetime) -> ErasedBatch:
        assert now == NOW
        if self.is_away:
            raise StoreUnavailable("erasing jobs")
        batch = [job_id for job_id in self.left if job_id > after][:most]
        erased = [job_id for job_id in batch if job_id not in self.busy]
        self.left = [job_id for job_id in self.left if job_id not in erased]
        self.batches.append(len(batch))
        last = batch[-1] if len(batch) == most else None
        return ErasedBatch(jobs=len(erased), skipped=len(batch) - len(erased), last=last)

    async def erase_meetings(
        self, _: str, *, after: str, most: int, now: datetime
    ) -> ErasedMeetings:
        assert (most, now) == (MAX_BATCH_SIZE, NOW)
        batch = [each for each in self.meetings if each > after][:most]
        over = [each for each in batch if each not in self.meetings_ahead]
        self.erased_meetings += over
        last = batch[-1] if len(batch) == most else None
        return ErasedMeetings(kept=len(batch) - len(over), last=last)

    async def delete_recipient(self, empid: str) -> bool:
        return self.recipients.pop(empid, None) is not None


def a_use_case(data: FakePersonalData) -> ManageRecipients:
    return ManageRecipients(data=data, now=FixedClock())


async def test_user_details_are_found_by_employee() -> None:
    know = a_use_case(FakePersonalData(finished=0))

    assert await know.get("E1") == ADA
    with pytest.raises(UnknownRecipient):
        await know.get("E2")


async def test_all_meetings_are_erased_in_batches() -> None:
    data = FakePersonalData(finished=0)
    data.meetings = [f"{number:06d}" for number in range(2 * MAX_BATCH_SIZE)]

    await a_use_case(data).forget("E1")

    assert data.erased_meetings == data.meetings


async def test_a_meeting_that_is_not_over_is_reported_as_unfinished() -> None:
    data = FakePersonalData(finished=0, unfinished=1)
    data.meetings = [f"{number:06d}" for number in range(MAX_BATCH_SIZE + 5)]
    data.meetings_ahead = {data.meetings[0], data.meetings[-1]}

    forgotten = await a_use_case(data).forget("E1")

    assert forgotten.unfinished_jobs == 3
    assert data.erased_meetings == data.meetings[1:-1]


async def test_all_finished_jobs_are_erased_in_batches() -> None:
    data = FakePersonalData(finished=1201, unfinished=3)

    forgotten = await a_use_case(data).forget("E1")

    assert forgotten == ForgetResult(erased_jobs=1201, unfinished_jobs=3, details_erased=True)
    assert data.batches == [MAX_BATCH_SIZE, MAX_BATCH_SIZE, 201]
    assert not data.left
    assert not data.recipients


async def test_forgetting_again_finds_nothing_more() -> None:
    data = FakePersonalData(finished=2)
    await a_use_case(data).forget("E1")

    again = await a_use_case(data).forget("E1")

    assert again == ForgetResult(erased_jobs=0, unfinished_jobs=0, details_erased=False)


async def test_a_job_that_changes_meanwhile_is_reported_as_unfinished() -> None:
    data = FakePersonalData(finished=MAX_BATCH_SIZE, busy=2)

    forgotten = await a_use_case(data).forget("E1")

    assert (forgotten.erased_jobs, forgotten.unfinished_jobs) == (MAX_BATCH_SIZE - 2, 2)


async def test_the_details_are_erased_last_so_that_an_interrupted_call_shows() -> None:
    data = FakePersonalData(finished=2)
    data.is_away = True

    with pytest.raises(StoreUnavailable):
        await a_use_case(data).forget("E1")

    assert data.recipients
