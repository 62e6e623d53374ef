"""The end of a load test against a service of others: its jobs are cancelled, or named."""

import asyncio
import shlex
import time
from collections.abc import Coroutine, Sequence
from typing import Any

from gcsched.bench.failure import BenchFailed
from gcsched.bench.load import OVERLOAD_CODES, Load
from gcsched.bench.progress import LoadProgress
from gcsched.bench.system import System
from gcsched.client import CallFailed
from gcsched.errors import GcschedError

REASON = "the load test has ended"
TRIES = 3
PAUSE_SECONDS = 1.0
LIMIT_SECONDS = 180.0
"""After that no call is repeated, so that the command ends while its user waits."""


async def cancel_jobs(load: Load, failure: GcschedError | None = None) -> None:
    """Cancel all jobs of the run.

    Raises BenchFailed, which names *failure* and the employees whose jobs may be left.
    """
    employees = sorted(load.employees)
    left = await cancel_jobs_of(load.system, employees, load.progress)
    if load.is_unanswered:
        # A call without an answer may have stored its job after the first pass.
        await asyncio.sleep(PAUSE_SECONDS)
        left = await cancel_jobs_of(load.system, employees, load.progress)
    if left:
        raise BenchFailed(describe_left(left, load.system.target, failure))


async def cancel_jobs_of(
    system: System, employees: Sequence[str], progress: LoadProgress
) -> dict[str, CallFailed]:
    """Cancel the jobs of each of *employees*; return the last failure of those that were not."""
    progress.begin("cancelling", len(employees))
    left: dict[str, CallFailed] = {}
    waiting, until = list(employees), time.monotonic() + LIMIT_SECONDS
    for number in range(TRIES):
        await asyncio.sleep(PAUSE_SECONDS * number)
        for empid in waiting if time.monotonic() < until else ():
            try:
                await system.clients[0].cancel_jobs(empid=empid, reason=REASON)
            except CallFailed as error:
                left[empid] = error
            else:
                left.pop(empid, None)
                progress.done += 1
        waiting = [empid for empid, error in left.items() if error.code in OVERLOAD_CODES]
        if not waiting:
            break
    return left


def describe_left(left: dict[str, CallFailed], target: str, failure: GcschedError | None) -> str:
    """Return what to type for the employees whose jobs may be left."""
    error = next(iter(left.values()))
    before = f"{failure}\nThen jobs" if failure is not None else "jobs"
    sentence = (
        f"{before} of {len(left)} employee ids could not be cancelled, and those that wait will be"
        f" mailed ({error.code}: {error}). Cancel them with"
    )
    commands = (
        shlex.join(["gcsched", "jobs", "cancel", "--empid", empid, "--yes", "--target", target])
        for empid in left
    )
    return "\n".join([sentence, *(f"  {each}" for each in commands)])


async def finish(work: Coroutine[Any, Any, None]) -> None:
    """Await *work* to its end, also if this task is cancelled meanwhile."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise
