"""Jobs in every state, and stores that are interfered with, slow or away."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from gcsched.adapters.mongo.codec import encode
from gcsched.domain.commands import Cancel, Retry
from gcsched.domain.job import Job, State
from gcsched.domain.job_list import JobFilter
from gcsched.usecases.ports import BulkJobChanges, JobUpdate
from tests.support.builders import NOW, a_job
from tests.support.clocks import DAY
from tests.support.rows import Rows

LATER = NOW + timedelta(minutes=1)


SOON = timedelta(seconds=10)


CANCEL, RETRY = Cancel(reason="called off"), Retry(keep_trying=DAY, window=DAY)


EVERYTHING = JobFilter()


@dataclass
class InterferingStore:
    """A store; *interfere* is called before each change."""

    store: BulkJobChanges
    interfere: Callable[[Sequence[JobUpdate]], object]

    async def change_all(self, pairs: Sequence[JobUpdate]) -> tuple[int, int]:
        self.interfere(pairs)
        return await self.store.change_all(pairs)

    async def find_committed(self, ids: Collection[str]) -> Sequence[Job]:
        return await self.store.find_committed(ids)


@dataclass
class HangingStore:
    """A store that takes *batches* batches and hangs in the next one."""

    store: BulkJobChanges
    batches: int

    async def change_all(self, pairs: Sequence[JobUpdate]) -> tuple[int, int]:
        if not self.batches:
            await asyncio.Event().wait()
        self.batches -= 1
        return await self.store.change_all(pairs)

    async def find_committed(self, ids: Collection[str]) -> Sequence[Job]:
        return await self.store.find_committed(ids)


def insert_jobs(jobs: Rows, some: Sequence[Job]) -> None:
    jobs.insert_many([encode(job) for job in some])


def read_states(jobs: Rows) -> dict[str, str]:
    return {row["_id"]: row["state"] for row in jobs.find()}


def many(count: int, **others: Any) -> list[Job]:
    return [
        a_job(**{"id": f"job-{n:05d}", "dedup_key": f"key-{n}", **others}) for n in range(count)
    ]


def one_of_each_state() -> list[Job]:
    return [
        a_job(
            id=state.value,
            state=state,
            dedup_key=f"key of {state}",
            request_id=f"request-{state}",
            empid=f"E-{state}",
        )
        for state in State
    ]
