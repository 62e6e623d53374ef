"""Jobs due in the same second, each cancelled or moved by somebody at that very moment.

Two replicas carry them; one of them may be frozen meanwhile until long after its leases are over.
What came of it is held against what the callers were told and what the relay has.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from gcsched.pb import task_pb2
from tests.scenarios.cluster import Cluster, a_cluster
from tests.support.relay.script import repeatable
from tests.support.service_process import Stub, a_meet, scheduler_stub
from tests.support.wait import until

FINAL = {"SENT", "CANCELLED", "FAILED", "EXPIRED", "SUPPRESSED"}
FREEZE_AFTER_SECONDS, FROZEN_SECONDS = 0.3, 40.0
RETRY_INTERVAL_SECONDS = 0.2
CALL_TIMEOUT_SECONDS = 20.0
TOO_LATE, SENDING = "ILLEGAL_TRANSITION", "SENDING"
Stubs = Sequence[Stub]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    seed: int
    jobs: int = 2000
    is_frozen: bool = False
    spread_seconds: float = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class CallResult:
    """What a caller wanted of one job, and what it was told: OK, a reason or a status code.

    *at* is when it was told. *due* is the time of a job that was moved; 0: the daily queue; None:
    it was to be cancelled.
    """

    job_id: str
    email: str
    due: int | None
    answer: str
    at: float

    @property
    def is_ok(self) -> bool:
        return self.answer == "OK"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioResult:
    scenario: Scenario
    call_results: Sequence[CallResult]
    documents: Mapping[str, Mapping[str, Any]]
    arrivals: Mapping[str, Sequence[float]]
    seconds: float

    def is_uncertain(self, told: CallResult) -> bool:
        """Tell whether an attempt came to nobody knows what: it may have been taken."""
        attempts = self.documents[told.job_id]["attempts"]
        return any(attempt["kind"] == "UNCERTAIN" for attempt in attempts)


async def run_scenario(folder: Path, scenario: Scenario) -> ScenarioResult:
    begun = time.monotonic()
    async with a_cluster(folder, services=2) as stage:
        due = int(time.time() + 5 + scenario.jobs / 300)
        meets = [a_meet(number, timestamp=due) for number in range(scenario.jobs)]
        calls = await stage.call(meets)
        assert {call.code for call in calls} == {"OK"}
        assert time.time() < due, "all are accepted before they are due"
        ids = {meet.emailID: call.job_id for meet, call in zip(meets, calls, strict=True)}
        async with asyncio.TaskGroup() as tasks:
            telling = tasks.create_task(call_for_each_job(stage, scenario, ids, due))
            if scenario.is_frozen:
                tasks.create_task(freeze_first_service(stage, due))
        told = telling.result()
        async with scheduler_stub(stage.services[1].target) as stub:
            await stub.RunDailyQueue(task_pb2.RunDailyQueueRequest(), timeout=CALL_TIMEOUT_SECONDS)
        await until(lambda: all_have_ended(stage), within=120, every=0.5)
        return ScenarioResult(
            scenario=scenario,
            call_results=told,
            documents={job["_id"]: job for job in stage.jobs()},
            arrivals=stage.arrivals(),
            seconds=round(time.monotonic() - begun, 1),
        )


async def freeze_first_service(stage: Cluster, due: int) -> None:
    """Freeze the first replica in the midst of it, and let it go when its leases are long over."""
    await asyncio.sleep(due + FREEZE_AFTER_SECONDS - time.time())
    stage.services[0].freeze()
    await asyncio.sleep(FROZEN_SECONDS)
    stage.services[0].thaw()


def all_have_ended(stage: Cluster) -> bool:
    return {job["state"] for job in stage.jobs()} <= FINAL


async def call_for_each_job(
    stage: Cluster, scenario: Scenario, ids: Mapping[str, str], due: int
) -> list[CallResult]:
    """Let a caller of its own want something of each job, about when it is due."""
    # Of the replicas one may be frozen: it would answer nobody.
    services = stage.services[1:] if scenario.is_frozen else stage.services
    chance = repeatable(f"races {scenario.seed}")
    async with (
        scheduler_stub(services[0].target) as one,
        scheduler_stub(services[-1].target) as other,
        asyncio.TaskGroup() as tasks,
    ):
        telling = []
        for email, job_id in ids.items():
            at = due + chance.uniform(-scenario.spread_seconds / 2, scenario.spread_seconds)
            wanted = chance.choice([None, None, 0, due + chance.randrange(4, 9)])
            stub = chance.choice([one, other])
            caller = Caller(stub=stub, retries_while_sending=scenario.is_frozen)
            telling.append(tasks.create_task(caller.call_at(job_id, email, wanted, at=at)))
        return [await each for each in telling]


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Calls once; who *retries_while_sending* calls again while the job is only being sent."""

    stub: Stub
    retries_while_sending: bool

    async def call_at(self, job_id: str, email: str, due: int | None, *, at: float) -> CallResult:
        await asyncio.sleep(max(0.0, at - time.time()))
        answer, state = await self.call_once(job_id, due)
        while self.retries_while_sending and (answer, state) == (TOO_LATE, SENDING):
            await asyncio.sleep(RETRY_INTERVAL_SECONDS)
            answer, state = await self.call_once(job_id, due)
        return CallResult(job_id=job_id, email=email, due=due, answer=answer, at=time.time())

    async def call_once(self, job_id: str, due: int | None) -> tuple[str, str]:
        """Give the answer, and the state in which a job was too late."""
        cancel = task_pb2.CancelJobRequest(job_id=job_id)
        move = task_pb2.RescheduleJobRequest(job_id=job_id, timestamp=due or 0)
        try:
            if due is None:
                await self.stub.CancelJob(cancel, timeout=CALL_TIMEOUT_SECONDS)
            else:
                await self.stub.RescheduleJob(move, timeout=CALL_TIMEOUT_SECONDS)
        except grpc.aio.AioRpcError as error:
            return error_reason(error)
        return "OK", ""


def error_reason(error: grpc.aio.AioRpcError) -> tuple[str, str]:
    status, info = rpc_status.from_call(error), error_details_pb2.ErrorInfo()
    for detail in status.details if status is not None else ():
        detail.Unpack(info)
    return info.reason or error.code().name, info.metadata.get("state", "")


def problems(found: ScenarioResult) -> list[str]:
    """Say of each job what is not as it has to be."""
    return [
        f"{told}: {wrong}" for told in found.call_results for wrong in call_problems(found, told)
    ]


def call_problems(found: ScenarioResult, told: CallResult) -> Iterator[str]:
    state = found.documents[told.job_id]["state"]
    mails = found.arrivals.get(told.email, ())
    is_uncertain = found.is_uncertain(told)
    if told.is_ok and told.due is None:
        if state != "CANCELLED":
            yield f"cancelled with OK, and {state}"
        if any(mail > told.at for mail in mails):
            yield "mailed after it was cancelled"
    if state == "CANCELLED" and mails and not is_uncertain:
        yield "cancelled and mailed"
    if told.is_ok and told.due and any(mail < told.due for mail in mails) and not is_uncertain:
        yield "mailed before its new time"
    if told.answer == TOO_LATE and state != "SENT":
        yield f"too late to change, and {state}"
    if state == "SENT" and not mails:
        yield "sent and not mailed"
    if len(mails) > 1 and not is_uncertain:
        yield f"mailed {len(mails)} times"
    if state not in {"SENT", "CANCELLED"}:
        yield f"ended as {state}"


def figures(found: ScenarioResult) -> dict[str, Any]:
    """Give what is worth keeping of *found*."""
    wanted = {None: "cancel", 0: "to the daily queue"}
    answers = Counter(
        f"{wanted.get(each.due, 'move')}: {each.answer}" for each in found.call_results
    )
    cancelled = [each for each in found.call_results if each.is_ok and each.due is None]
    uncertain = [each for each in found.call_results if found.is_uncertain(each)]
    wrong = problems(found)
    return {
        "seed": found.scenario.seed,
        "jobs": found.scenario.jobs,
        "one_replica_frozen": found.scenario.is_frozen,
        "seconds": found.seconds,
        "answers": dict(sorted(answers.items())),
        "states": dict(Counter(job["state"] for job in found.documents.values())),
        "mails": sum(len(times) for times in found.arrivals.values()),
        "cancelled_and_mailed": sum(each.email in found.arrivals for each in cancelled),
        "jobs_with_an_uncertain_attempt": len(uncertain),
        "problems": len(wrong),
        "first_problems": wrong[:10],
    }
