"""Both clients while something is wrong with the service: what each method raises, and when.

Both clients are connected and watch the health before a condition begins. Then each method is
called by both, all at the same time and with the time limits that the clients have by default.
"""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Unpack

from gcsched.client import AccessOptions, AsyncClient, CallFailed, Client, Health, NotFound, State
from tests.scenarios.client_conditions import Condition, Stage
from tests.scenarios.method_calls import (
    ASYNC,
    BLOCKING,
    METHODS,
    TO_FAIL,
    TO_LOSE,
    CallEnd,
    Subjects,
    a_mail,
    a_meeting,
    call_each,
)
from tests.support.wait import until

PAST = 1672531200
MIN_SECONDS = 6.0  # of a condition, for those who watch the health
RECOVERED_WITHIN_SECONDS = 30.0
# `resume` ends a pause, so it is called when all others have ended.
FIRST = [each for each in METHODS if each != "resume"]
LAST = ["resume"]
HealthChanges = list[tuple[Health, float]]


@dataclass(kw_only=True, eq=False)
class HealthLog:
    """The changes of health that each client reported, with the seconds since `begin`."""

    changes: dict[str, HealthChanges] = field(default_factory=dict)
    _start: float = 0.0

    def begin(self) -> None:
        self._start = time.monotonic()
        self.changes = {BLOCKING: [], ASYNC: []}

    def watch_blocking(self, client: Client) -> None:
        for health in client.watch_health():
            self._add(BLOCKING, health)

    async def watch_async(self, client: AsyncClient) -> None:
        async for health in client.watch_health():
            self._add(ASYNC, health)

    def are(self, health: Health) -> bool:
        """Return whether *health* is what both clients reported last since `begin`."""
        return all(each and each[-1][0] is health for each in self.changes.values())

    def _add(self, client: str, health: Health) -> None:
        self.changes[client].append((health, time.monotonic() - self._start))


@dataclass(frozen=True, slots=True, kw_only=True)
class Callers:
    """Both clients, and what they see of the health."""

    blocking: Client
    asynchronous: AsyncClient
    health: HealthLog

    async def recover(self) -> dict[str, float]:
        """Call until both clients have an answer; return the seconds that each of them waited."""
        start = time.monotonic()

        async def wait_blocking() -> float:
            await until(lambda: asyncio.to_thread(self._answers), within=RECOVERED_WITHIN_SECONDS)
            return time.monotonic() - start

        async def wait_async() -> float:
            await until(self._answers_async, within=RECOVERED_WITHIN_SECONDS)
            return time.monotonic() - start

        blocking, asynchronous = await asyncio.gather(wait_blocking(), wait_async())
        return {BLOCKING: blocking, ASYNC: asynchronous}

    def _answers(self) -> bool:
        with suppress(CallFailed):
            self.blocking.count_jobs(empid="nobody")
            return True
        return False

    async def _answers_async(self) -> bool:
        with suppress(CallFailed):
            await self.asynchronous.count_jobs(empid="nobody")
            return True
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What both clients saw of one condition, and of its end."""

    calls: Sequence[CallEnd]
    health: Mapping[str, HealthChanges]
    recovered_after: Mapping[str, float]


@asynccontextmanager
async def open_callers(target: str, **access: Unpack[AccessOptions]) -> AsyncIterator[Callers]:
    """Connect both clients, and watch the health with both."""
    log = HealthLog()
    log.begin()
    with Client(target, **access) as blocking:
        async with AsyncClient(target, **access) as asynchronous:
            watch = threading.Thread(target=log.watch_blocking, args=(blocking,))
            watch.start()
            watching = asyncio.create_task(log.watch_async(asynchronous), name="watch")
            await until(lambda: log.are(Health.SERVING))
            yield Callers(blocking=blocking, asynchronous=asynchronous, health=log)
    await watching
    await asyncio.to_thread(watch.join, 10)


async def see(stage: Stage, condition: Condition, *, is_limited: bool = False) -> Seen:
    """Call each method under *condition*; afterwards the service is as before."""
    token = stage.limited if is_limited else stage.token
    subjects = {BLOCKING: await prepare(stage), ASYNC: await prepare(stage)}
    async with open_callers(stage.service.target, token=token.text) as callers:
        both = (callers.blocking, callers.asynchronous)
        if is_limited:
            await callers.asynchronous.status()  # the call that the limit allows
        callers.health.begin()
        async with condition(stage), asyncio.TaskGroup() as tasks:
            tasks.create_task(asyncio.sleep(MIN_SECONDS))
            ends = await call_each(*both, subjects, FIRST)
            ends += await call_each(*both, subjects, LAST)
        health = {client: list(changes) for client, changes in callers.health.changes.items()}
        recovered_after = await callers.recover()
    async with AsyncClient(stage.service.target, token=stage.token.text) as client:
        await client.resume()
    return Seen(calls=ends, health=health, recovered_after=recovered_after)


async def prepare(stage: Stage) -> Subjects:
    """Make jobs in the states that the calls need, suppressions, user details and meetings."""
    async with AsyncClient(stage.service.target, token=stage.token.text) as client:
        mails = [a_mail() for _ in range(5)]
        mails[3] |= {"email": TO_FAIL, "at": PAST}
        mails[4] |= {"email": TO_LOSE, "at": PAST}
        jobs = [(await client.schedule(**each)).job_id for each in mails]
        for each in mails[:2]:
            await client.add_suppression(f"x{each['email']}", reason="a test")

        meetings = [(await client.create_meeting(**a_meeting())).meeting_id for _ in range(2)]

        async def are_ready() -> bool:
            states = [(await client.get_job(each)).state for each in jobs[3:]]
            with suppress(NotFound):  # user details are written after the answer
                await client.get_recipient(mails[0]["empid"])
                return states == [State.FAILED, State.UNCERTAIN]
            return False

        await until(are_ready)
    return Subjects(
        waiting=jobs[0],
        to_cancel=jobs[1],
        to_reschedule=jobs[2],
        failed=jobs[3],
        uncertain=jobs[4],
        suppressed=f"x{mails[0]['email']}",
        to_allow=f"x{mails[1]['email']}",
        empid=mails[0]["empid"],
        to_forget=mails[1]["empid"],
        meeting=meetings[0],
        to_call_off=meetings[1],
    )
