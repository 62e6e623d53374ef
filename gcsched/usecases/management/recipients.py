"""Know and forget an employee: the user details, and what finished jobs tell of a person."""

from dataclasses import dataclass

from gcsched.domain.recipient import Recipient
from gcsched.errors import UnknownRecipient
from gcsched.usecases.ports import Clock, PersonalData

MOST_AT_ONCE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgotten:
    """How many finished jobs were erased, and how many are as they were."""

    erased_jobs: int
    unfinished_jobs: int
    details_erased: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class KnowRecipients:
    data: PersonalData
    now: Clock

    async def get(self, empid: str) -> Recipient:
        """Give the user details. Raises UnknownRecipient, StoreUnavailable."""
        recipient = await self.data.recipient(empid)
        if recipient is None:
            raise UnknownRecipient(empid)
        return recipient

    async def forget(self, empid: str) -> Forgotten:
        """Erase what can be erased now; cut off, the same call again does the rest."""
        # First: what ends meanwhile is better told as unfinished than not at all.
        unfinished = await self.data.unfinished(empid)
        erased, after = 0, ""
        while True:
            batch = await self.data.erase(empid, after=after, most=MOST_AT_ONCE, now=self.now())
            erased += batch.jobs
            unfinished += batch.missed
            if batch.last is None:
                break
            after = batch.last
        had_details = await self.data.remove(empid)
        return Forgotten(erased_jobs=erased, unfinished_jobs=unfinished, details_erased=had_details)
