"""Know and forget an employee: the user details, and what finished jobs tell of a person."""

from dataclasses import dataclass

from gcsched.domain.recipient import Recipient
from gcsched.errors import UnknownRecipient
from gcsched.usecases.ports import Clock, PersonalData

MAX_BATCH_SIZE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgetResult:
    """How many finished jobs were erased, and how many are as they were."""

    erased_jobs: int
    unfinished_jobs: int
    details_erased: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ManageRecipients:
    data: PersonalData
    now: Clock

    async def get(self, empid: str) -> Recipient:
        """Give the user details. Raises UnknownRecipient, StoreUnavailable."""
        recipient = await self.data.find_recipient(empid)
        if recipient is None:
            raise UnknownRecipient(empid)
        return recipient

    async def forget(self, empid: str) -> ForgetResult:
        """Erase what can be erased now; cut off, the same call again does the rest."""
        # First: what ends meanwhile is better told as unfinished than not at all.
        unfinished = await self.data.count_unfinished(empid)
        erased, after = 0, ""
        while True:
            batch = await self.data.erase_jobs(
                empid, after=after, most=MAX_BATCH_SIZE, now=self.now()
            )
            erased += batch.jobs
            unfinished += batch.skipped
            if batch.last is None:
                break
            after = batch.last
        had_details = await self.data.delete_recipient(empid)
        return ForgetResult(
            erased_jobs=erased, unfinished_jobs=unfinished, details_erased=had_details
        )
