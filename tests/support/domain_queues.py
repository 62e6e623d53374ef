"""Queues by domain, filled with mails."""

import asyncio
from dataclasses import replace
from datetime import datetime

from gcsched.domain.job import Priority
from gcsched.usecases.delivery.deliver import ClaimedJob
from gcsched.usecases.delivery.domain_queues import DomainQueues
from tests.support.builders import FixedClock, a_claimed_job


def mail(name: str) -> ClaimedJob:
    """Make a mail of the domain that the first letter of *name* stands for."""
    job = a_claimed_job(id=name, email=f"{name}@{name[0]}.example")
    return ClaimedJob(job=job, token="claim-1")


def mails(domain: str, count: int) -> list[ClaimedJob]:
    return [mail(f"{domain}{number}") for number in range(count)]


def names(claimed: list[ClaimedJob]) -> list[str]:
    return [each.job.id for each in claimed]


def fill_queues(clock: FixedClock, *waiting: ClaimedJob, limit: int) -> DomainQueues:
    lanes = DomainQueues(slots_per_domain=limit, now=clock)
    for each in waiting:
        assert lanes.put(each) is None
    return lanes


async def take(lanes: DomainQueues, count: int) -> list[ClaimedJob]:
    async with asyncio.timeout(1):
        return [await lanes.get() for _ in range(count)]


def put_off(lanes: DomainQueues, domain: str, count: int) -> list[datetime]:
    given = [lanes.put(each) for each in mails(domain, count)]
    return [due for due in given if due is not None]


def urgent(name: str) -> ClaimedJob:
    waiting = mail(name)
    return replace(waiting, job=replace(waiting.job, priority=Priority.URGENT))
