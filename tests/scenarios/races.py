"""Jobs due in the same second, each cancelled or rescheduled at that very moment.

Two replicas deliver them; one may be frozen meanwhile until long after its leases have expired.
The jobs are checked against the answers to the callers and the relay's ledger.
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
    """A call about one job and its answer: OK, a reason or a status code.

    *at* is when the answer came. *due* is the new time of a rescheduled job; 0: the daily queue;
    None: the call was to cancel it.
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

    def is_uncertain(self, result: CallResult) -> bool:
        """Return whether an attempt was UNCERTAIN: the relay may have accepted the mail."""
        attempts = self.documents[result.job_id]["attempts"]
        return any(attempt["kind"] == "UNCERTAIN" for attempt in attempts)


async def run_scenario(folder: Path, scenario: Scenario) -> ScenarioResult:
    start = time.monotonic()
    async with a_cluster(folder, services=2) as cluster:
        due = int(time.time() + 5 + scenario.jobs / 300)
        meets = [a_meet(number, timestamp=due) for number in range(scenario.jobs)]
        calls = await cluster.call(meets)
        assert {call.code for call in calls} == {"OK"}
        assert time.time() < due, "all jobs must be accepted before they are due"
        ids = {meet.emailID: call.job_id for meet, call in zip(meets, calls, strict=True)}
        async with asyncio.TaskGroup() as tasks:
            calling = tasks.create_task(call_for_each_job(cluster, scenario, ids, due))
            if scenario.is_frozen:
                tasks.create_task(freeze_first_service(cluster, due))
        call_results = calling.result()
        async with scheduler_stub(cluster.services[1].target) as stub:
            await stub.RunDailyQueue(task_pb2.RunDailyQueueRequest(), timeout=CALL_TIMEOUT_SECONDS)
        await until(lambda: all_have_ended(cluster), within=120, every=0.5)
        return ScenarioResult(
            scenario=scenario,
            call_results=call_results,
            documents={job["_id"]: job for job in cluster.jobs()},
            arrivals=cluster.arrivals(),
            seconds=round(time.monotonic() - start, 1),
        )


async def freeze_first_service(cluster: Cluster, due: int) -> None:
    """Freeze the first replica during the race, until long after its leases have expired."""
    await asyncio.sleep(due + FREEZE_AFTER_SECONDS - time.time())
    cluster.services[0].freeze()
    await asyncio.sleep(FROZEN_SECONDS)
    cluster.services[0].thaw()


def all_have_ended(cluster: Cluster) -> bool:
    return {job["state"] for job in cluster.jobs()} <= FINAL


async def call_for_each_job(
    cluster: Cluster, scenario: Scenario, ids: Mapping[str, str], due: int
) -> list[CallResult]:
    """Make a random call about each job, from its own caller, at about its due time."""
    # A frozen replica would not answer.
    services = cluster.services[1:] if scenario.is_frozen else cluster.services
    chance = repeatable(f"races {scenario.seed}")
    async with (
        scheduler_stub(services[0].target) as one,
        scheduler_stub(services[-1].target) as other,
        asyncio.TaskGroup() as tasks,
    ):
        results = []
        for email, job_id in ids.items():
            at = due + chance.uniform(-scenario.spread_seconds / 2, scenario.spread_seconds)
            new_due = chance.choice([None, None, 0, due + chance.randrange(4, 9)])
            stub = chance.choice([one, other])
            caller = Caller(stub=stub, retries_while_sending=scenario.is_frozen)
            results.append(tasks.create_task(caller.call_at(job_id, email, new_due, at=at)))
        return [await each for each in results]


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Calls once; with *retries_while_sending*, again while the job is SENDING."""

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
        """Return the answer, and the job's state if it was too late."""
        cancel = task_pb2.CancelJobRequest(job_id=job_id)
        reschedule = task_pb2.RescheduleJobRequest(job_id=job_id, timestamp=due or 0)
        try:
            if due is None:
                await self.stub.CancelJob(cancel, timeout=CALL_TIMEOUT_SECONDS)
            else:
                await self.stub.RescheduleJob(reschedule, timeout=CALL_TIMEOUT_SECONDS)
        except grpc.aio.AioRpcError as error:
            return error_reason(error)
        return "OK", ""


def error_reason(error: grpc.aio.AioRpcError) -> tuple[str, str]:
    status, info = rpc_status.from_call(error), error_details_pb2.ErrorInfo()
    for detail in status.details if status is not None else ():
        detail.Unpack(info)
    return info.reason or error.code().name, info.metadata.get("state", "")


def problems(found: ScenarioResult) -> list[str]:
    """List what is wrong with any job."""
    return [
        f"{result}: {wrong}"
        for result in found.call_results
        for wrong in call_problems(found, result)
    ]


def call_problems(found: ScenarioResult, result: CallResult) -> Iterator[str]:
    state = found.documents[result.job_id]["state"]
    mails = found.arrivals.get(result.email, ())
    is_uncertain = found.is_uncertain(result)
    if result.is_ok and result.due is None:
        if state != "CANCELLED":
            yield f"cancelled with OK, and {state}"
        if any(mail > result.at for mail in mails):
            yield "mailed after it was cancelled"
    if state == "CANCELLED" and mails and not is_uncertain:
        yield "cancelled and mailed"
    if (
        result.is_ok
        and result.due
        and any(mail < result.due for mail in mails)
        and not is_uncertain
    ):
        yield "mailed before its new time"
    if result.answer == TOO_LATE and state != "SENT":
        yield f"too late to change, and {state}"
    if state == "SENT" and not mails:
        yield "sent and not mailed"
    if len(mails) > 1 and not is_uncertain:
        yield f"mailed {len(mails)} times"
    if state not in {"SENT", "CANCELLED"}:
        yield f"ended as {state}"


def figures(found: ScenarioResult) -> dict[str, Any]:
    """Return the figures of the run for a report."""
    kinds = {None: "cancel", 0: "to the daily queue"}
    answers = Counter(
        f"{kinds.get(each.due, 'move')}: {each.answer}" for each in found.call_results
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
