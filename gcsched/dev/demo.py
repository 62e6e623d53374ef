"""What a newcomer shall see: three invitations go in by gRPC, and come out as mails."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

import grpc

from gcsched.domain.job import FINAL, Job, State
from gcsched.errors import GcschedError
from gcsched.pb import task_pb2, task_pb2_grpc
from gcsched.proxies import STRAIGHT

SHORTLY = timedelta(seconds=3)
BETWEEN_LOOKS_SECONDS = 0.05
LONGEST_WAIT_SECONDS = 30.0
CALL_TIMEOUT_SECONDS = 10.0

E = TypeVar("E", bound=BaseException)
JobReader = Callable[[str], Awaitable[Job | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One invitation of the demo, and how it is called in what is said."""

    label: str
    request: task_pb2.MeetRequest
    is_first: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """Ask, follow each job to its end, show the first mail. Every run asks for new jobs."""

    say: Callable[..., None]
    now: Callable[[], datetime]
    texts: dict[str, str] = field(default_factory=dict)
    """Subject → text of those of its mails that were caught."""

    def hear(self, subject: str, text: str) -> None:
        """Hear of any caught mail."""
        if subject in self.texts:
            self.texts[subject] = text

    async def play(
        self, target: str, job: JobReader, run_daily: Callable[[], Awaitable[int]]
    ) -> None:
        self.say("demo: three invitations")
        problems: list[str] = []
        try:
            async with grpc.aio.insecure_channel(target, options=STRAIGHT) as channel:
                await self._play(task_pb2_grpc.SchedulerStub(channel), job, run_daily)
        except* grpc.aio.AioRpcError as group:
            problems += [str(error.details()) for error in leaves(group)]
        except* GcschedError as group:
            problems += [str(error) for error in leaves(group)]
        end = f"demo broken off ({problems[0]})" if problems else "demo done"
        self.say(f"{end}; the service goes on until Ctrl-C")

    async def _play(
        self,
        stub: "task_pb2_grpc.SchedulerAsyncStub",
        job: JobReader,
        run_daily: Callable[[], Awaitable[int]],
    ) -> None:
        acts = invitations(self.now())
        self.texts.update({act.request.message: "" for act in acts})
        async with asyncio.TaskGroup() as tasks:
            for act in acts:
                answer = await stub.ScheduleMeet(act.request, timeout=CALL_TIMEOUT_SECONDS)
                self.say(f"  {act.label:14} accepted as {answer.job_id}")
                tasks.create_task(self._follow(act, answer.job_id, job), name=act.label)
            self.say(f"  daily run      started by hand, {await run_daily()} due now")

    async def _follow(self, act: Act, job_id: str, job: JobReader) -> None:
        """Wait for the end of one job and say what it was."""
        accepted = time.monotonic()
        while True:
            seen, seconds = await job(job_id), time.monotonic() - accepted
            if seen is not None and seen.state in FINAL:
                self.say(f"  {act.label:14} {ending(seen, seconds)}")
                self._show_the_first(act)
                return
            if seconds > LONGEST_WAIT_SECONDS:
                self.say(f"  {act.label:14} still waits after {seconds:.0f} s; it goes on")
                return
            await asyncio.sleep(BETWEEN_LOOKS_SECONDS)

    def _show_the_first(self, act: Act) -> None:
        if (text := self.texts[act.request.message].strip()) and act.is_first:
            self.say("one of these mails, as text:", *(f"  | {line}" for line in text.splitlines()))


def invitations(now: datetime) -> list[Act]:
    """Give the requests; the time in the subject makes each run's a new one."""
    at = f"{now:%H:%M:%S}"
    second = round(now.timestamp())

    def act(label: str, *, to: str, message: str, timestamp: int) -> Act:
        request = task_pb2.MeetRequest(
            empid=f"demo-{now:%Y%m%d-%H%M%S}",
            emailID=f"{to.lower()}@example.org",
            message=f"{message} (demo of {at})",
            empName=to,
            timestamp=timestamp,
        )
        return Act(label=label, request=request, is_first=label == "now")

    soon = second + int(SHORTLY.total_seconds())
    return [
        act("now", to="Ada", message="Interview on Friday", timestamp=second),
        act("in 3 seconds", to="Grace", message="Code review at three", timestamp=soon),
        act("daily queue", to="Alan", message="Your week at a glance", timestamp=0),
    ]


def leaves(group: BaseExceptionGroup[E]) -> Iterator[E]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from leaves(error)
        else:
            yield error


def ending(job: Job, seconds: float) -> str:
    if job.state is State.SENT:
        return f"sent after {seconds:.1f} s"
    return f"{job.state.value.lower()} after {seconds:.1f} s: {job.reason}"
