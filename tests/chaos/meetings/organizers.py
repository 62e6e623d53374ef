"""Callers that create, change and cancel meetings, and repeat each call until it is answered."""

import asyncio
import math
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import grpc
from google.protobuf.field_mask_pb2 import FieldMask

from gcsched.pb import task_pb2
from tests.support.relay.script import repeatable
from tests.support.service_process import Stub, scheduler_stub

CALL_TIMEOUT_SECONDS = 5.0
FIRST_WAIT_SECONDS, MAX_WAIT_SECONDS = 0.2, 4.0
REPEATED = {"UNAVAILABLE", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED", "ABORTED", "CANCELLED"}
MINUTES_AHEAD = 40
STEPS = ("move", "rename", "add", "remove", "cancel", "withdraw", "race")

Send = Callable[[Stub], Awaitable[Any]]


@dataclass(kw_only=True, eq=False)
class Plan:
    """A meeting as its caller wants it: the latest values that the service confirmed.

    *finals* are the (start, summary) of which one must hold; several only after changes at once.
    *moves* are the times of confirmed moves, with the start that no reminder may have after it and
    whether a mail was in flight then.
    """

    number: int
    attendees: dict[str, bool] = field(default_factory=dict)  # address → still invited
    finals: list[tuple[datetime, str]] = field(default_factory=list)
    meeting_id: str = ""
    is_cancelled: bool = False
    is_unanswered: bool = False
    added: int = 0
    moves: list[tuple[float, datetime, int]] = field(default_factory=list)
    withdrawn: set[str] = field(default_factory=set)
    confirmed: list[str] = field(default_factory=list)


def format_wall(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M")


@dataclass(kw_only=True, eq=False)
class Organizers:
    """Runs *count* meetings at *targets*, each with some changes after the other."""

    targets: Sequence[str]
    seed: int
    plans: list[Plan] = field(default_factory=list, init=False)
    codes: Counter[str] = field(default_factory=Counter, init=False)
    unexpected: list[str] = field(default_factory=list, init=False)
    _deadline: float = field(default=math.inf, init=False)
    _stubs: list[Stub] = field(default_factory=list, init=False)

    async def organize(
        self, count: int, *, every: float, pause: float, over: asyncio.Event, max_wait: float
    ) -> None:
        """Begin a meeting *every* so many seconds; *pause* is the longest between two changes."""
        async with AsyncExitStack() as stack:
            self._stubs = [
                await stack.enter_async_context(scheduler_stub(each)) for each in self.targets
            ]
            async with asyncio.TaskGroup() as tasks:
                for number in range(count):
                    plan = Plan(number=number)
                    self.plans.append(plan)
                    tasks.create_task(self._live(plan, pause))
                    await asyncio.sleep(every)
                await over.wait()
                self._deadline = time.monotonic() + max_wait

    async def _live(self, plan: Plan, pause: float) -> None:
        chance = repeatable(f"organizers {self.seed} {plan.number}")
        await self._create(plan, chance)
        for step in chance.choices(STEPS, weights=(4, 2, 3, 3, 1, 1, 2), k=chance.randint(1, 6)):
            await asyncio.sleep(chance.uniform(0.0, pause) ** 2 / pause)
            if plan.is_cancelled or plan.is_unanswered or not plan.meeting_id:
                return
            await getattr(self, f"_{step}")(plan, chance)

    async def _create(self, plan: Plan, chance: Random) -> None:
        start = draw_start(chance)
        summary = f"Meeting {plan.number}"
        for _ in range(chance.randint(1, 4)):
            add_address(plan)
        meeting = task_pb2.Meeting(
            summary=summary,
            start=format_wall(start),
            time_zone="UTC",
            attendees=[task_pb2.Attendee(email=each) for each in plan.attendees],
        )
        meeting.duration.FromTimedelta(timedelta(minutes=30))
        # Due within the next two minutes, and again after each move.
        reminder = meeting.reminders.add()
        reminder.before.FromTimedelta(timedelta(minutes=MINUTES_AHEAD - 2))
        request = task_pb2.CreateMeetingRequest(
            meeting=meeting, request_id=str(UUID(int=chance.getrandbits(128)))
        )
        answer = await self._call(plan, lambda stub: stub.CreateMeeting(request, timeout=5))
        if answer is not None:
            plan.meeting_id = answer.meeting_id
            plan.finals = [(start, summary)]

    async def _move(self, plan: Plan, chance: Random) -> None:
        start, summary = draw_start(chance), plan.finals[-1][1]
        await self._update(plan, start, summary)

    async def _rename(self, plan: Plan, chance: Random) -> None:
        await self._update(plan, plan.finals[-1][0], f"Renamed {chance.randrange(1_000_000)}")

    async def _race(self, plan: Plan, chance: Random) -> None:
        """Two callers change the meeting at once; either may be the last."""
        one, other = (draw_start(chance), "One"), (draw_start(chance), "Other")
        await asyncio.gather(self._update(plan, *one), self._update(plan, *other))
        plan.finals = [one, other]

    async def _update(self, plan: Plan, start: datetime, summary: str) -> None:
        before = {each for each, _ in plan.finals}
        request = task_pb2.UpdateMeetingRequest(
            meeting=task_pb2.Meeting(
                meeting_id=plan.meeting_id, start=format_wall(start), summary=summary
            ),
            update_mask=FieldMask(paths=["start", "summary"]),
        )
        answer = await self._call(plan, lambda stub: stub.UpdateMeeting(request, timeout=5))
        if answer is None:
            return
        in_flight = sum(each.in_flight for each in answer.effects)
        plan.moves += [(time.time(), each, in_flight) for each in before if each != start]
        plan.finals = [(start, summary)]

    async def _add(self, plan: Plan, chance: Random) -> None:
        removed = [each for each, is_in in plan.attendees.items() if not is_in]
        email = chance.choice(removed) if removed and chance.random() < 0.5 else add_address(plan)
        request = task_pb2.AddAttendeesRequest(
            meeting_id=plan.meeting_id,
            attendees=[task_pb2.Attendee(email=email)],
            tell_others=chance.random() < 0.3,
        )
        answer = await self._call(plan, lambda stub: stub.AddAttendees(request, timeout=5))
        plan.attendees[email] = answer is not None

    async def _remove(self, plan: Plan, chance: Random) -> None:
        invited = [each for each, is_in in plan.attendees.items() if is_in]
        if not invited:
            return
        email = chance.choice(invited)
        request = task_pb2.RemoveAttendeesRequest(meeting_id=plan.meeting_id, emails=[email])
        answer = await self._call(plan, lambda stub: stub.RemoveAttendees(request, timeout=5))
        if answer is not None:
            plan.attendees[email] = False

    async def _cancel(self, plan: Plan, _: Random) -> None:
        request = task_pb2.CancelMeetingRequest(meeting_id=plan.meeting_id, reason="ill")
        answer = await self._call(plan, lambda stub: stub.CancelMeeting(request, timeout=5))
        if answer is not None:
            plan.is_cancelled = True

    async def _withdraw(self, plan: Plan, chance: Random) -> None:
        """Cancel the job of an invitation; that is too late if its mail has begun."""
        request = task_pb2.GetMeetingRequest(meeting_id=plan.meeting_id)
        meeting = await self._call(plan, lambda stub: stub.GetMeeting(request, timeout=5))
        jobs = {
            each.job_id: each.email
            for each in (() if meeting is None else meeting.attendees)
            if each.job_id and not each.removed and each.told == task_pb2.Attendee.NOTHING
        }
        if not jobs:
            return
        job_id = chance.choice(sorted(jobs))
        cancel = task_pb2.CancelJobRequest(job_id=job_id)
        answer = await self._call(plan, lambda stub: stub.CancelJob(cancel, timeout=5))
        if answer is not None:
            # It may be an invitation that was not sent, or an update: the verdict allows both.
            plan.withdrawn.add(jobs[job_id])
            plan.attendees[jobs[job_id]] = False
            plan.is_cancelled = not any(plan.attendees.values())

    async def _call(self, plan: Plan, send: Send) -> Any:
        """Return the answer; None if the service refuses, or gives none until the deadline."""
        tries, wait = plan.number, FIRST_WAIT_SECONDS
        while time.monotonic() < self._deadline:
            tries += 1
            try:
                answer = await send(self._stubs[tries % len(self._stubs)])
            except grpc.aio.AioRpcError as error:
                code = error.code().name
                self.codes[code] += 1
                if code not in REPEATED:
                    if code != "FAILED_PRECONDITION":
                        self.unexpected.append(f"{plan.number}: {code} {error.details()}")
                    return None
                await asyncio.sleep(wait)
                wait = min(wait * 2, MAX_WAIT_SECONDS)
            else:
                self.codes["OK"] += 1
                return answer
        plan.is_unanswered = True
        return None


def draw_start(chance: Random) -> datetime:
    """Return a start whose reminder comes within the next minutes."""
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    return now + timedelta(minutes=MINUTES_AHEAD + chance.randint(0, 3))


def add_address(plan: Plan) -> str:
    plan.added += 1
    email = f"m{plan.number}-{plan.added}@example.com"
    plan.attendees[email] = True
    return email
