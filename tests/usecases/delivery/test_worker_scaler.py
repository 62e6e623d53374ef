"""How many workers there are while some wait for a relay's reply to a body."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, cast

import pytest

from gcsched.usecases.delivery.deliver import ClaimedJob, Deliver
from gcsched.usecases.delivery.domain_queues import DomainQueues
from gcsched.usecases.delivery.sent_markers import SentMarkers
from gcsched.usecases.delivery.worker_pool import WorkerPool
from gcsched.usecases.delivery.worker_scaler import WorkerScaler
from gcsched.usecases.ports import Conclusion, SentMarkerStore
from tests.support.background import in_background
from tests.support.builders import NOW, FixedClock, a_claimed_job, a_conclusion
from tests.support.wait import until

if TYPE_CHECKING:
    from gcsched.usecases.delivery.outcomes import OutcomeRecorder

GRACE = timedelta(seconds=1)


@pytest.fixture(autouse=True)
def short_intervals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gcsched.usecases.delivery.worker_scaler.STUCK_AFTER_SECONDS", 0.05)
    monkeypatch.setattr("gcsched.usecases.delivery.worker_pool.SCALE_EVERY_SECONDS", 0.02)


@dataclass
class FakeDeliver:
    """A Deliver whose bodies are all under way until *answered*; *most* were so at once."""

    begun: bool = True
    under_way: int = 0
    most: int = 0
    answered: asyncio.Event = field(default_factory=asyncio.Event)

    async def deliver(self, claimed: ClaimedJob) -> Conclusion:
        claimed.begun = NOW if self.begun else None
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        await self.answered.wait()
        self.under_way -= 1
        return a_conclusion(claimed.job)

    def give_back(self, claimed: ClaimedJob) -> Conclusion:
        return a_conclusion(claimed.job.unclaimed(NOW))

    conclude_interrupted = give_back


@dataclass
class FakeRecorder:
    """Records conclusions."""

    conclusions: list[Conclusion] = field(default_factory=list)

    def record(self, conclusion: Conclusion) -> None:
        self.conclusions.append(conclusion)


def a_worker_pool(bodies: FakeDeliver, scaler: WorkerScaler, recorder: FakeRecorder) -> WorkerPool:
    workers = WorkerPool(
        deliver=cast("Deliver", bodies),
        recorder=cast("OutcomeRecorder", recorder),
        sent_markers=SentMarkers(cast("SentMarkerStore", None)),
        queues=DomainQueues(slots_per_domain=0, now=FixedClock()),
        scaler=scaler,
    )
    for number in range(20):
        workers.put(ClaimedJob(job=a_claimed_job(id=f"job-{number}"), token="t"))
    return workers


async def test_each_stuck_worker_is_replaced_up_to_the_limit() -> None:
    bodies, scaler, recorder = FakeDeliver(), WorkerScaler(size=2, max_extra=3), FakeRecorder()
    workers = a_worker_pool(bodies, scaler, recorder)

    async with in_background(partial(workers.run, grace=GRACE)):
        await until(lambda: bodies.under_way == 5)
        assert scaler.count_stuck() == 3
        bodies.begun = False
        bodies.answered.set()
        await until(lambda: len(recorder.conclusions) == 20)
        stuck, expected = scaler.count_stuck(), scaler.compute_target()

    assert bodies.most == 5
    assert (stuck, expected) == (0, 2)


@pytest.mark.parametrize(
    ("max_extra", "begun"), [(0, True), (3, False)], ids=["alone", "not begun"]
)
async def test_no_worker_is_replaced_without_another_relay_or_before_the_body(
    max_extra: int, *, begun: bool
) -> None:
    bodies, recorder = FakeDeliver(begun=begun), FakeRecorder()
    workers = a_worker_pool(bodies, WorkerScaler(size=2, max_extra=max_extra), recorder)

    async with in_background(partial(workers.run, grace=GRACE)):
        await until(lambda: bodies.under_way == 2)
        asyncio.get_running_loop().call_later(0.3, bodies.answered.set)
        await until(lambda: len(recorder.conclusions) == 20)

    assert bodies.most == 2
