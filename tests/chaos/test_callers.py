"""The callers of the chaos tests schedule all mails, and report those without an answer."""

import asyncio
import time

from gcsched.pb import task_pb2
from tests.chaos.callers import Callers
from tests.support.fake_scheduler import fake_scheduler
from tests.support.ports import free_port

OK = task_pb2.MeetResponse(success=True, job_id="job-1")
OVER = asyncio.Event()
OVER.set()


async def test_a_slow_machine_calls_later_and_not_less_often() -> None:
    async with fake_scheduler(ScheduleMeet=[OK] * 20) as service:
        callers = Callers(targets=[service.target], seed=1, per_second=100)
        # Block the loop until the last call is overdue.
        asyncio.get_running_loop().call_later(0.15, time.sleep, 0.2)
        await callers.call(20, faults_over=OVER, max_wait=5)

    assert (len(callers.due), len(callers.accepted), callers.unanswered) == (20, 20, set())


async def test_a_caller_without_an_answer_gives_up_after_the_faults() -> None:
    callers = Callers(targets=[f"127.0.0.1:{free_port()}"], seed=1, per_second=100)
    over = asyncio.Event()
    calling = asyncio.create_task(callers.call(2, faults_over=over, max_wait=0.1))

    _, pending = await asyncio.wait([calling], timeout=0.5)
    over.set()
    await calling

    assert pending, "max_wait starts when the faults are over"
    assert callers.unanswered == set(callers.due)
    assert set(callers.codes) == {"UNAVAILABLE"}
