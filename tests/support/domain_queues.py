"""Domain queues filled with mails."""

import asyncio
from dataclasses import replace
from datetime import datetime

from msgspec import structs

from gcsched.domain.job import Priority
from gcsched.usecases.delivery.deliver import ClaimedJob
from gcsched.usecases.delivery.domain_queues import DomainQueues
from tests.support.builders import FixedClock, a_claimed_job


def mail(name: str) -> ClaimedJob:
    """Return a job to the domain that the first letter of *name* stands for."""
    job = a_claimed_job(id=name, email=f"{name}@{name[0]}.example")
    return ClaimedJob(job=job, token="claim-1")


def mails(domain: str, count: int) -> list[ClaimedJob]:
    return [mail(f"{domain}{number}") for number in range(count)]


def names(claimed: list[ClaimedJob]) -> list[str]:
    return [each.job.id for each in claimed]


def fill_queues(clock: FixedClock, *claimed: ClaimedJob, limit: int) -> DomainQueues:
    queues = DomainQueues(slots_per_domain=limit, now=clock)
    for each in claimed:
        assert queues.put(each) is None
    return queues


async def take(queues: DomainQueues, count: int) -> list[ClaimedJob]:
    async with asyncio.timeout(1):
        return [await queues.get() for _ in range(count)]


def put_off(queues: DomainQueues, domain: str, count: int) -> list[datetime]:
    postponed = [queues.put(each) for each in mails(domain, count)]
    return [due for due in postponed if due is not None]


def urgent(name: str) -> ClaimedJob:
    claimed = mail(name)
    return replace(claimed, job=structs.replace(claimed.job, priority=Priority.URGENT))
