from datetime import datetime

import pytest

from gcsched.domain.recipient import Recipient
from gcsched.errors import StoreUnavailable, UnknownRecipient
from gcsched.usecases.management.recipients import MOST_AT_ONCE, Forgotten, KnowRecipients
from gcsched.usecases.ports import Erased
from tests.support.builders import NOW, FixedClock

ADA = Recipient(
    empid="E1", name="Ada", email="ada@example.org", first_seen_time=NOW, last_seen_time=NOW, accepted_count=1
)


class ToyData:
    """Jobs named by numbers, all of E1; those in *busy* are changed by somebody meanwhile."""

    def __init__(self, *, finished: int, unfinished: int = 0, busy: int = 0) -> None:
        self.recipients = {"E1": ADA}
        self.left = [f"{number:06d}" for number in range(finished)]
        self.busy = set(self.left[:busy])
        self.batches: list[int] = []
        self._unfinished = unfinished
        self.is_away = False

    async def recipient(self, empid: str) -> Recipient | None:
        return self.recipients.get(empid)

    async def unfinished(self, _: str) -> int:
        return self._unfinished

    async def erase(self, _: str, *, after: str, most: int, now: datetime) -> Erased:
        assert now == NOW
        if self.is_away:
            raise StoreUnavailable("erasing jobs")
        batch = [job_id for job_id in self.left if job_id > after][:most]
        erased = [job_id for job_id in batch if job_id not in self.busy]
        self.left = [job_id for job_id in self.left if job_id not in erased]
        self.batches.append(len(batch))
        last = batch[-1] if len(batch) == most else None
        return Erased(jobs=len(erased), missed=len(batch) - len(erased), last=last)

    async def remove(self, empid: str) -> bool:
        return self.recipients.pop(empid, None) is not None


def knowing(data: ToyData) -> KnowRecipients:
    return KnowRecipients(data=data, now=FixedClock())


async def test_user_details_are_found_by_employee() -> None:
    know = knowing(ToyData(finished=0))

    assert await know.get("E1") == ADA
    with pytest.raises(UnknownRecipient):
        await know.get("E2")


async def test_everything_finished_is_erased_in_batches() -> None:
    data = ToyData(finished=1201, unfinished=3)

    forgotten = await knowing(data).forget("E1")

    assert forgotten == Forgotten(erased_jobs=1201, unfinished_jobs=3, details_erased=True)
    assert data.batches == [MOST_AT_ONCE, MOST_AT_ONCE, 201]
    assert not data.left
    assert not data.recipients


async def test_forgetting_again_finds_nothing_more() -> None:
    data = ToyData(finished=2)
    await knowing(data).forget("E1")

    again = await knowing(data).forget("E1")

    assert again == Forgotten(erased_jobs=0, unfinished_jobs=0, details_erased=False)


async def test_a_job_that_somebody_changes_meanwhile_is_told_as_unfinished() -> None:
    data = ToyData(finished=MOST_AT_ONCE, busy=2)

    forgotten = await knowing(data).forget("E1")

    assert (forgotten.erased_jobs, forgotten.unfinished_jobs) == (MOST_AT_ONCE - 2, 2)


async def test_the_details_go_last_so_that_a_call_cut_off_can_be_seen() -> None:
    data = ToyData(finished=2)
    data.is_away = True

    with pytest.raises(StoreUnavailable):
        await knowing(data).forget("E1")

    assert data.recipients
