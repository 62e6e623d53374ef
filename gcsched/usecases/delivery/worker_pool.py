"""The worker pool: each worker delivers one claimed job at a time."""

import asyncio
import traceback
from datetime import timedelta

import structlog

from gcsched.domain.job import State
from gcsched.domain.masking import mask_traceback
from gcsched.usecases.delivery.deliver import ClaimedJob, Deliver
from gcsched.usecases.delivery.domain_queues import DomainQueues
from gcsched.usecases.delivery.outcomes import OutcomeRecorder
from gcsched.usecases.delivery.sent_markers import SentMarkers
from gcsched.usecases.delivery.worker_scaler import WorkerScaler
from gcsched.usecases.loops import cancel_until_done
from gcsched.usecases.ports import Conclusion

GRACE_AFTER_DEFECT = timedelta(seconds=3)  # the process ends anyway: another one takes over
SCALE_EVERY_SECONDS = 1.0


class WorkerPool:
    """Runs workers over one queue; every job that is put in comes out as exactly one conclusion.

    For each worker that is stuck another one is added, so that other mails can go to another relay
    meanwhile.
    """

    def __init__(
        self,
        *,
        deliver: Deliver,
        recorder: OutcomeRecorder,
        sent_markers: SentMarkers,
        queues: DomainQueues,
        scaler: WorkerScaler,
    ) -> None:
        self._deliver = deliver
        self._recorder = recorder
        self._sent_markers = sent_markers
        self._scaler = scaler
        self._queues = queues
        self._current_jobs: dict[asyncio.Task[None], ClaimedJob] = {}
        self._workers: set[asyncio.Task[None]] = set()
        self._is_closing = False
        self._cancelled_task: str | None = None
        self._ended = asyncio.Event()

    def put(self, claimed: ClaimedJob) -> bool:
        """Accept *claimed*, or give it back and return False.

        A job is given back when the pool is closing, or when too many jobs wait for its domain.
        Either way it comes out as a conclusion.
        """
        if self._is_closing:
            self.give_back(claimed)
            return False
        if (postponed_to := self._queues.put(claimed)) is not None:
            self._recorder.record(self._deliver.postpone(claimed, postponed_to))
            return False
        return True

    def give_back(self, claimed: ClaimedJob) -> None:
        """Undo the claim of a job whose delivery has not begun."""
        self._recorder.record(self._deliver.give_back(claimed))

    def postpone(self, claimed: ClaimedJob, by: timedelta) -> None:
        """Undo the claim of a job whose delivery has not begun; it is due again after *by*."""
        self._recorder.record(self._deliver.postpone_by(claimed, by))

    async def run(self, stop: asyncio.Event, *, grace: timedelta) -> None:
        """Work until *stop*; then let deliveries whose body has begun finish within *grace*.

        A worker that ends by itself is a defect: its error is raised after the others have ended.
        """
        stopping = asyncio.create_task(stop.wait(), name="worker pool stop")
        stopping.add_done_callback(lambda _: self._ended.set())
        scaling = asyncio.create_task(self._scale(), name="worker scaling")
        scaling.add_done_callback(self._on_end)
        self._add_workers()
        try:
            await self._ended.wait()
            self.drain()
            # Only workers whose body has begun are left.
            if begun := self._find_begun_workers():
                timeout = grace if stop.is_set() else min(grace, GRACE_AFTER_DEFECT)
                await asyncio.wait(begun, timeout=timeout.total_seconds())
        finally:
            # Not a TaskGroup: it cancels once, and a worker may wait in code that swallows it.
            await cancel_until_done({stopping, scaling, *self._workers})
        for task in (scaling, *self._workers):
            if not task.cancelled():
                task.result()
        if self._cancelled_task is not None:
            raise RuntimeError(
                f"a task of the worker pool was cancelled from outside: {self._cancelled_task}"
            )

    def _add_workers(self) -> None:
        for _ in range(self._scaler.compute_target() - len(self._workers)):
            worker = asyncio.create_task(self._work(), name="worker")
            self._workers.add(worker)
            worker.add_done_callback(self._on_end)

    def _on_end(self, task: asyncio.Task[None]) -> None:
        """Remove a worker that ended in order; end all workers if it failed."""
        # A worker that is cancelled from outside would otherwise reduce the pool unnoticed.
        is_vanished = task.cancelled() and not self._is_closing
        if is_vanished:
            self._cancelled_task = task.get_name()
        if is_vanished or not (task.cancelled() or task.exception() is None):
            self._ended.set()
        else:
            self._workers.discard(task)

    async def _scale(self) -> None:
        while self._scaler.max_extra and not self._is_closing:
            await asyncio.sleep(SCALE_EVERY_SECONDS)
            begun = [each for each in self._current_jobs.values() if each.begun is not None]
            self._scaler.update(begun)
            self._add_workers()

    def _is_needed(self) -> bool:
        """Return whether a worker goes on; a surplus one ends when a stuck one is free again."""
        return not self._is_closing and len(self._workers) <= self._scaler.compute_target()

    def drain(self) -> None:
        """Stop starting deliveries, and give back all jobs whose body has not begun."""
        self._is_closing = True
        for claimed in self._queues.drain():
            self.give_back(claimed)
        # A body that has begun cannot be taken back: those workers get the grace of `run`.
        for worker in self._workers - self._find_begun_workers():
            worker.cancel()

    def _find_begun_workers(self) -> set[asyncio.Task[None]]:
        return {task for task, claimed in self._current_jobs.items() if claimed.begun is not None}

    async def _work(self) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a worker must run as a task")
        while self._is_needed():
            claimed = await self._queues.get()
            self._current_jobs[task] = claimed
            try:
                conclusion = await self._deliver_job(claimed)
            except asyncio.CancelledError:
                self._recorder.record(self._deliver.conclude_interrupted(claimed))
                raise
            finally:
                # Before the conclusion is recorded: the slot is free for the next job at once.
                del self._current_jobs[task]
                self._scaler.remove(claimed)
                self._queues.done(claimed)
            self._conclude(conclusion)
        # At once, not in `_on_end`: workers that conclude in the same iteration of the event loop
        # count the workers left, and would all end.
        self._workers.discard(task)

    async def _deliver_job(self, claimed: ClaimedJob) -> Conclusion:
        try:
            return await self._deliver.deliver(claimed)
        except Exception as error:  # noqa: BLE001  # a defect delays one job and ends no worker
            # Not as `exc_info`: the message of an exception may repeat the text of the mail.
            trace = mask_traceback(traceback.format_exc(), claimed.job)
            structlog.get_logger().error("delivery crashed", job_id=claimed.job.id, exception=trace)
            return self._deliver.conclude_crashed(claimed, error)

    def _conclude(self, conclusion: Conclusion) -> None:
        if conclusion.job.state is State.SENT:
            self._sent_markers.add(conclusion)
        self._recorder.record(conclusion)
