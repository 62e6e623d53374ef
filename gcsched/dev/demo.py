"""What a newcomer shall see: three invitations go in by gRPC, and come out as mails."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

import grpc

from gcsched.domain.job import FINAL_STATES, Job, State
from gcsched.errors import GcschedError
from gcsched.pb import task_pb2, task_pb2_grpc
from gcsched.proxies import DIRECT

SHORT_DELAY = timedelta(seconds=3)
POLL_INTERVAL_SECONDS = 0.05
MAX_WAIT_SECONDS = 30.0
CALL_TIMEOUT_SECONDS = 10.0

E = TypeVar("E", bound=BaseException)
ReadJob = Callable[[str], Awaitable[Job | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoInvitation:
    """One invitation of the demo, and how it is called in what is said."""

    label: str
    request: task_pb2.MeetRequest
    is_first: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """Ask, follow each job to its end, show the first mail. Every run asks for new jobs."""

    print_lines: Callable[..., None]
    now: Callable[[], datetime]
    texts: dict[str, str] = field(default_factory=dict)
    """Subject → text of those of its mails that were caught."""

    def record_mail(self, subject: str, text: str) -> None:
        """Hear of any caught mail."""
        if subject in self.texts:
            self.texts[subject] = text

    async def run(self, target: str, job: ReadJob, run_daily: Callable[[], Awaitable[int]]) -> None:
        self.print_lines("demo: three invitations")
        problems: list[str] = []
        try:
            async with grpc.aio.insecure_channel(target, options=DIRECT) as channel:
                await self._run(task_pb2_grpc.SchedulerStub(channel), job, run_daily)
        except* grpc.aio.AioRpcError as group:
            problems += [str(error.details()) for error in leaves(group)]
        except* GcschedError as group:
            problems += [str(error) for error in leaves(group)]
        end = f"demo broken off ({problems[0]})" if problems else "demo done"
        self.print_lines(f"{end}; the service goes on until Ctrl-C")

    async def _run(
        self,
        stub: "task_pb2_grpc.SchedulerAsyncStub",
        job: ReadJob,
        run_daily: Callable[[], Awaitable[int]],
    ) -> None:
        acts = make_invitations(self.now())
        self.texts.update({act.request.message: "" for act in acts})
        async with asyncio.TaskGroup() as tasks:
            for act in acts:
                answer = await stub.ScheduleMeet(act.request, timeout=CALL_TIMEOUT_SECONDS)
                self.print_lines(f"  {act.label:14} accepted as {answer.job_id}")
                tasks.create_task(self._follow(act, answer.job_id, job), name=act.label)
            self.print_lines(f"  daily run      started by hand, {await run_daily()} due now")

    async def _follow(self, act: DemoInvitation, job_id: str, job: ReadJob) -> None:
        """Wait for the end of one job and say what it was."""
        accepted = time.monotonic()
        while True:
            seen, seconds = await job(job_id), time.monotonic() - accepted
            if seen is not None and seen.state in FINAL_STATES:
                self.print_lines(f"  {act.label:14} {describe_end(seen, seconds)}")
                self._print_first_mail(act)
                return
            if seconds > MAX_WAIT_SECONDS:
                self.print_lines(f"  {act.label:14} still waits after {seconds:.0f} s; it goes on")
                return
            await asyncio.sleep(POLL_INTERVAL_SECONDS)

    def _print_first_mail(self, act: DemoInvitation) -> None:
        if (text := self.texts[act.request.message].strip()) and act.is_first:
            self.print_lines(
                "one of these mails, as text:", *(f"  | {line}" for line in text.splitlines())
            )


def make_invitations(now: datetime) -> list[DemoInvitation]:
    """Give the requests; the time in the subject makes each run's a new one."""
    at = f"{now:%H:%M:%S}"
    second = round(now.timestamp())

    def invitation(label: str, *, to: str, message: str, timestamp: int) -> DemoInvitation:
        request = task_pb2.MeetRequest(
            empid=f"demo-{now:%Y%m%d-%H%M%S}",
            emailID=f"{to.lower()}@example.org",
            message=f"{message} (demo of {at})",
            empName=to,
            timestamp=timestamp,
        )
        return DemoInvitation(label=label, request=request, is_first=label == "now")

    soon = second + int(SHORT_DELAY.total_seconds())
    return [
        invitation("now", to="Ada", message="Interview on Friday", timestamp=second),
        invitation("in 3 seconds", to="Grace", message="Code review at three", timestamp=soon),
        invitation("daily queue", to="Alan", message="Your week at a glance", timestamp=0),
    ]


def leaves(group: BaseExceptionGroup[E]) -> Iterator[E]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from leaves(error)
        else:
            yield error


def describe_end(job: Job, seconds: float) -> str:
    if job.state is State.SENT:
        return f"sent after {seconds:.1f} s"
    return f"{job.state.value.lower()} after {seconds:.1f} s: {job.reason}"
