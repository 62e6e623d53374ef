"""Recipients: read the user details of an employee, and erase all personal data on request."""

from dataclasses import dataclass

from gcsched.domain.recipient import Recipient
from gcsched.errors import UnknownRecipient
from gcsched.usecases.ports import Clock, OnCount, PersonalData, ignore_count

MAX_BATCH_SIZE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgetResult:
    """The number of finished jobs erased, and of jobs and meetings left as they are.

    A meeting that is not over is one of those: the employee may have to get a mail about it.
    """

    erased_jobs: int
    unfinished_jobs: int
    details_erased: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasurePreview:
    """The number of jobs that *forget* would erase now, and of those that it would leave."""

    erasable_jobs: int
    unfinished_jobs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ManageRecipients:
    """Reads and erases the personal data of employees."""

    data: PersonalData
    now: Clock

    async def get(self, empid: str) -> Recipient:
        """Return the user details. Raises UnknownRecipient, StoreUnavailable."""
        recipient = await self.data.find_recipient(empid)
        if recipient is None:
            raise UnknownRecipient(empid)
        return recipient

    async def preview_erasure(self, empid: str) -> ErasurePreview:
        """Count what *forget* would erase. Raises StoreUnavailable."""
        return ErasurePreview(
            erasable_jobs=await self.data.count_erasable(empid),
            unfinished_jobs=await self.data.count_unfinished(empid),
        )

    async def forget(self, empid: str, *, on_count: OnCount = ignore_count) -> ForgetResult:
        """Erase what can be erased now; if a call is interrupted, repeating it erases the rest.

        *on_count* is called with the number of erased jobs after each batch.
        """
        # Counted first: a job that ends meanwhile is then reported as unfinished, not left out.
        unfinished = await self.data.count_unfinished(empid)
        erased, after = 0, ""
        while True:
            batch = await self.data.erase_jobs(
                empid, after=after, most=MAX_BATCH_SIZE, now=self.now()
            )
            erased += batch.jobs
            on_count(erased)
            unfinished += batch.skipped
            if batch.last is None:
                break
            after = batch.last
        unfinished += await self._erase_meetings(empid)
        had_details = await self.data.delete_recipient(empid)
        return ForgetResult(
            erased_jobs=erased, unfinished_jobs=unfinished, details_erased=had_details
        )

    async def _erase_meetings(self, empid: str) -> int:
        """Erase the employee in meetings; return how many stay, without those with counted jobs."""
        kept, last = 0, ""
        while True:
            batch = await self.data.erase_meetings(
                empid, after=last, most=MAX_BATCH_SIZE, now=self.now()
            )
            kept += batch.kept
            if batch.last is None:
                return kept
            last = batch.last
