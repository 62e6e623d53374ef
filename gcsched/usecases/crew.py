"""The workers: each carries one claimed job at a time through its delivery."""

import asyncio
from datetime import timedelta

import structlog

from gcsched.domain.job import State
from gcsched.usecases.deliver import Claimed, Deliver
from gcsched.usecases.lanes import Lanes
from gcsched.usecases.marks import AcceptedMarks
from gcsched.usecases.ports import Conclusion
from gcsched.usecases.record import Recorder
from gcsched.usecases.staffing import Staffing

RELIEVE_EVERY_SECONDS = 1.0


class Crew:
    """Run workers over one queue; every job put in comes out as one conclusion.

    For each worker that is stuck another one is added, so that other mails can go to another relay
    meanwhile.
    """

    def __init__(
        self,
        *,
        deliver: Deliver,
        recorder: Recorder,
        marks: AcceptedMarks,
        lanes: Lanes,
        staffing: Staffing,
    ) -> None:
        self._deliver = deliver
        self._recorder = recorder
        self._marks = marks
        self._staffing = staffing
        self._lanes = lanes
        self._at_work: dict[asyncio.Task[None], Claimed] = {}
        self._workers: set[asyncio.Task[None]] = set()
        self._is_closing = False

    def put(self, claimed: Claimed) -> bool:
        """Take over *claimed*; False: it came too late, or its domain has too many, and went back.

        Either way it comes out as a conclusion.
        """
        if self._is_closing:
            self.give_back(claimed)
            return False
        if (later := self._lanes.put(claimed)) is not None:
            self._recorder.record(self._deliver.put_off(claimed, later))
            return False
        return True

    def give_back(self, claimed: Claimed) -> None:
        """Undo the claim of what has not begun."""
        self._recorder.record(self._deliver.given_back(claimed))

    async def run(self, stop: asyncio.Event, *, grace: timedelta) -> None:
        """Work until *stop*; then let what has begun finish within *grace*."""
        async with asyncio.TaskGroup() as tasks:
            self._add_workers(tasks)
            relieving = tasks.create_task(self._relieve(tasks), name="relief")
            await stop.wait()
            relieving.cancel()
            self.dismiss()
            if begun := self._begun():
                await asyncio.wait(begun, timeout=grace.total_seconds())
            for worker in begun:
                worker.cancel()

    def _add_workers(self, tasks: asyncio.TaskGroup) -> None:
        for _ in range(self._staffing.wanted() - len(self._workers)):
            worker = tasks.create_task(self._work(), name="worker")
            self._workers.add(worker)
            worker.add_done_callback(self._workers.discard)

    async def _relieve(self, tasks: asyncio.TaskGroup) -> None:
        while self._staffing.relief:
            await asyncio.sleep(RELIEVE_EVERY_SECONDS)
            begun = [each for each in self._at_work.values() if each.begun is not None]
            self._staffing.look(begun)
            self._add_workers(tasks)

    def _has_place(self) -> bool:
        """Return whether a worker goes on; a surplus one ends when a stuck one is free again."""
        return not self._is_closing and len(self._workers) <= self._staffing.wanted()

    def dismiss(self) -> None:
        """Begin nothing any more: give back what has not begun, at once."""
        self._is_closing = True
        for claimed in self._lanes.drain():
            self.give_back(claimed)
        for worker in self._workers - self._begun():
            worker.cancel()

    def _begun(self) -> set[asyncio.Task[None]]:
        return {task for task, claimed in self._at_work.items() if claimed.begun is not None}

    async def _work(self) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a worker is a task")
        while self._has_place():
            claimed = await self._lanes.get()
            self._at_work[task] = claimed
            try:
                conclusion = await self._carry(claimed)
            except asyncio.CancelledError:
                self._recorder.record(self._deliver.interrupted(claimed))
                raise
            finally:
                del self._at_work[task]
                self._staffing.forget(claimed)
                self._lanes.done(claimed)
            self._conclude(conclusion)

    async def _carry(self, claimed: Claimed) -> Conclusion:
        try:
            return await self._deliver(claimed)
        except Exception as error:  # noqa: BLE001  # a defect costs a delay, not a worker
            structlog.get_logger().exception("delivery broke", job_id=claimed.job.id)
            return self._deliver.broken(claimed, error)

    def _conclude(self, conclusion: Conclusion) -> None:
        if conclusion.job.state is State.SENT:
            self._marks.note(conclusion)
        self._recorder.record(conclusion)
