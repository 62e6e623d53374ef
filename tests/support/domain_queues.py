"""Queues by domain, filled with mails."""

import asyncio
from dataclasses import replace
from datetime import datetime

from gcsched.domain.job import Priority
from gcsched.usecases.delivery.deliver import Claimed
from gcsched.usecases.delivery.domain_queues import Lanes
from tests.support.builders import FixedClock, a_claimed_job


def mail(name: str) -> Claimed:
    """Make a mail of the domain that the first letter of *name* stands for."""
    job = a_claimed_job(id=name, email=f"{name}@{name[0]}.example")
    return Claimed(job=job, token="claim-1")


def mails(domain: str, count: int) -> list[Claimed]:
    return [mail(f"{domain}{number}") for number in range(count)]


def names(claimed: list[Claimed]) -> list[str]:
    return [each.job.id for each in claimed]


def filled(clock: FixedClock, *waiting: Claimed, limit: int) -> Lanes:
    lanes = Lanes(limit=limit, now=clock)
    for each in waiting:
        assert lanes.put(each) is None
    return lanes


async def taken(lanes: Lanes, count: int) -> list[Claimed]:
    async with asyncio.timeout(1):
        return [await lanes.get() for _ in range(count)]


def put_off(lanes: Lanes, domain: str, count: int) -> list[datetime]:
    given = [lanes.put(each) for each in mails(domain, count)]
    return [due for due in given if due is not None]


def urgent(name: str) -> Claimed:
    waiting = mail(name)
    return replace(waiting, job=replace(waiting.job, priority=Priority.URGENT))
