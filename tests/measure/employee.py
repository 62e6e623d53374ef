"""Schedule many mails for one employee at once, where an employee gets one mail per window.

    python -m tests.measure.employee --json docs/measurements/employee.json

Two processes share the stores. One wave of calls falls into the first window, one into the next.
Prints figures; `problems` lists what was not as expected.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from gcsched.pb import task_pb2
from tests.measure.delivery import Figures, seconds_from_now
from tests.measure.survive import A_MONTH_SECONDS, Scenarios, run_scenarios
from tests.scenarios.cluster import a_cluster
from tests.support.service_process import Stub, a_meet, scheduler_stub

CALLS = 500
WINDOW_SECONDS = 18
CALL_TIMEOUT_SECONDS = 10.0


async def one_employee(folder: Path) -> Figures:
    """Make 500 calls over two processes, and 500 more when the window is over."""
    async with (
        a_cluster(
            folder, services=2, dedup="employee", dedup_window=f"{WINDOW_SECONDS}s"
        ) as cluster,
        AsyncExitStack() as stack,
    ):
        stubs = [
            await stack.enter_async_context(scheduler_stub(each.target))
            for each in cluster.services
        ]
        started = time.time()
        first = await send_wave(stubs, "first")
        first_took = time.time() - started
        await asyncio.sleep(started + first_took + WINDOW_SECONDS - time.time())
        second = await send_wave(stubs, "second")
        stored = [job["_id"] for job in cluster.jobs()]
    return {
        "processes": len(stubs),
        "calls_in_each_wave": CALLS,
        "window_seconds": WINDOW_SECONDS,
        "first_wave_seconds": round(first_took, 2),
        "first_wave": count_outcomes(first),
        "second_wave": count_outcomes(second),
        "stored": len(stored),
        "problems": list(problems(first, second, stored, first_took)),
    }


async def send_wave(stubs: Sequence[Stub], name: str) -> Sequence[task_pb2.MeetResponse]:
    """Send all calls at once, each with its own text, to the processes in turn."""
    due = seconds_from_now(A_MONTH_SECONDS)
    calls = [  # grpc.aio sends a call when it is made, not when it is awaited
        stubs[number % len(stubs)].ScheduleMeet(
            a_meet(1, timestamp=due, message=f"{name} {number}"), timeout=CALL_TIMEOUT_SECONDS
        )
        for number in range(CALLS)
    ]
    return [await each for each in calls]


def count_outcomes(replies: Sequence[task_pb2.MeetResponse]) -> dict[str, int]:
    return dict(Counter(task_pb2.MeetResponse.Outcome.Name(reply.outcome) for reply in replies))


def problems(
    first: Sequence[task_pb2.MeetResponse],
    second: Sequence[task_pb2.MeetResponse],
    stored: Sequence[str],
    first_took: float,
) -> list[str]:
    """Return what was not as expected."""
    found: list[str] = []
    if first_took > WINDOW_SECONDS:
        found.append(
            f"the first wave took {first_took:.1f} s, longer than the window: run it again"
        )
    accepted = [reply.job_id for reply in (*first, *second) if reply.success]
    for name, replies in (("first", first), ("second", second)):
        if (count := sum(reply.success for reply in replies)) != 1:
            found.append(f"{name} wave: {count} accepted, not one")
    if any(reply.job_id for reply in (*first, *second) if not reply.success):
        found.append("a refused call was given a job id")
    if sorted(accepted) != sorted(stored):
        found.append(f"accepted {accepted}, MongoDB has {stored}")
    return found


SCENARIOS: Scenarios = {"one_employee": one_employee}


if __name__ == "__main__":
    run_scenarios("tests.measure.employee", __doc__, SCENARIOS)
