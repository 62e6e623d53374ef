"""The demo for newcomers: three invitations and a meeting by gRPC, and what becomes of them."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

import grpc

from gcsched.dev.demo_meeting import MeetingDemo
from gcsched.domain.job import FINAL_STATES, Job, State
from gcsched.errors import GcschedError
from gcsched.pb import task_pb2, task_pb2_grpc
from gcsched.proxies import DIRECT

SHORT_DELAY = timedelta(seconds=3)
POLL_INTERVAL_SECONDS = 0.05
MAX_WAIT_SECONDS = 30.0
CALL_TIMEOUT_SECONDS = 10.0
FRIDAY = 4

E = TypeVar("E", bound=BaseException)
ReadJob = Callable[[str], Awaitable[Job | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoInvitation:
    """One invitation of the demo, and its label in the output."""

    label: str
    request: task_pb2.MeetRequest
    is_first: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """The demo: schedule new jobs, follow each to its final state, show the first mail.

    Meanwhile a meeting is created, moved and cancelled.
    """

    print_lines: Callable[..., None]
    now: Callable[[], datetime]
    texts: dict[str, str] = field(default_factory=dict)
    """Subject → text of the demo's mails; empty until the mail is caught."""

    def record_mail(self, subject: str, text: str) -> None:
        """Keep the text of a caught mail if it is one of the demo's."""
        if subject in self.texts:
            self.texts[subject] = text

    async def run(self, target: str, job: ReadJob, run_daily: Callable[[], Awaitable[int]]) -> None:
        self.print_lines("demo: three invitations, and a meeting that moves and is cancelled")
        problems: list[str] = []
        try:
            # DIRECT: a proxy in the environment does not apply to this machine.
            async with grpc.aio.insecure_channel(target, options=DIRECT) as channel:
                await self._run(task_pb2_grpc.SchedulerStub(channel), job, run_daily)
        except* grpc.aio.AioRpcError as group:
            problems += [str(error.details()) for error in leaves(group)]
        except* GcschedError as group:
            problems += [str(error) for error in leaves(group)]
        end = f"demo failed ({problems[0]})" if problems else "demo done"
        self.print_lines(f"{end}; the service goes on until Ctrl-C")

    async def _run(
        self,
        stub: "task_pb2_grpc.SchedulerAsyncStub",
        job: ReadJob,
        run_daily: Callable[[], Awaitable[int]],
    ) -> None:
        invitations = make_invitations(self.now())
        # Before the first call: its mail may be caught before the reply arrives.
        self.texts.update({each.request.message: "" for each in invitations})
        meeting = MeetingDemo(stub=stub, print_lines=self.print_lines, now=self.now)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(meeting.run(), name="meeting")
            for each in invitations:
                reply = await stub.ScheduleMeet(each.request, timeout=CALL_TIMEOUT_SECONDS)
                self.print_lines(f"  {each.label:14} accepted as {reply.job_id}")
                tasks.create_task(self._follow(each, reply.job_id, job), name=each.label)
            self.print_lines(f"  daily run      started by hand, {await run_daily()} due now")

    async def _follow(self, invitation: DemoInvitation, job_id: str, job: ReadJob) -> None:
        """Wait until the job is final and print its state."""
        accepted = time.monotonic()
        while True:
            seen, seconds = await job(job_id), time.monotonic() - accepted
            if seen is not None and seen.state in FINAL_STATES:
                self.print_lines(f"  {invitation.label:14} {describe_end(seen, seconds)}")
                self._print_first_mail(invitation)
                return
            if seconds > MAX_WAIT_SECONDS:
                self.print_lines(
                    f"  {invitation.label:14} still waiting after {seconds:.0f} s; the job goes on"
                )
                return
            await asyncio.sleep(POLL_INTERVAL_SECONDS)

    def _print_first_mail(self, invitation: DemoInvitation) -> None:
        if (text := self.texts[invitation.request.message].strip()) and invitation.is_first:
            self.print_lines(
                "one of these mails, as text:", *(f"  | {line}" for line in text.splitlines())
            )


def make_invitations(now: datetime) -> list[DemoInvitation]:
    """Return the requests; the time in the subjects makes them new jobs in each run."""
    at = f"{now:%H:%M:%S}"
    second = round(now.timestamp())

    def make(
        label: str, *, to: str, message: str, timestamp: int, event: task_pb2.Event | None = None
    ) -> DemoInvitation:
        request = task_pb2.MeetRequest(
            empid=f"demo-{now:%Y%m%d-%H%M%S}",
            emailID=f"{to.lower()}@example.org",
            message=f"{message} (demo of {at})",
            empName=to,
            timestamp=timestamp,
            event=event,
        )
        return DemoInvitation(label=label, request=request, is_first=label == "now")

    soon = second + int(SHORT_DELAY.total_seconds())
    friday = make_event(now)
    return [
        make("now", to="Ada", message="Interview on Friday", timestamp=second, event=friday),
        make("in 3 seconds", to="Grace", message="Code review at three", timestamp=soon),
        make("daily queue", to="Alan", message="Your week at a glance", timestamp=0),
    ]


def make_event(now: datetime) -> task_pb2.Event:
    """Return a meeting on the next Friday, which makes the first mail a calendar invitation."""
    day = now.date() + timedelta(days=1 + (FRIDAY - now.weekday() - 1) % 7)
    return task_pb2.Event(
        start=f"{day.isoformat()}T10:00",
        duration=timedelta(minutes=45),
        time_zone="Europe/London",
        location="Room 4.2, second floor",
        url="https://meet.example.org/j/42",
        description="We talk about your notes on the engine.\nPlease bring them with you.",
    )


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
