"""A store of outcomes for a recorder."""

import asyncio
from collections.abc import Collection, Sequence
from datetime import timedelta

from gcsched.errors import StoreUnavailable
from gcsched.usecases.ports import Conclusion
from tests.support.builders import (
    NOW,
    a_claimed_job,
    a_conclusion,
    an_attempt,
)


class FakeOutcomes:
    """Records conclusions by batch; can be away, and can report that claims were lost."""

    def __init__(self) -> None:
        self.tries = 0
        self.groups: list[list[Conclusion]] = []
        self.lost: list[Conclusion] = []
        self.is_away = False
        self.gate = asyncio.Event()
        self.gate.set()

    async def conclude(self, conclusions: Sequence[Conclusion]) -> Collection[Conclusion]:
        self.tries += 1
        await self.gate.wait()
        if self.is_away:
            raise StoreUnavailable("writing outcomes")
        self.groups.append(list(conclusions))
        return self.lost


def conclusions(count: int) -> list[Conclusion]:
    job = a_claimed_job().sent(an_attempt())
    return [a_conclusion(job, claim=f"claim-{number}") for number in range(count)]


LATER = NOW + timedelta(minutes=1)
