"""Claimed jobs on a slow relay, each cancelled, or its address suppressed, while it is claimed.

Two replicas deliver them. The oracle is the relay, which records when the first bytes of a body
arrive, by `time.monotonic()`, which all processes of a machine share.
"""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from pymongo import MongoClient

from gcsched.pb import task_pb2
from tests.scenarios.cluster import Cluster, a_cluster, read_json_lines
from tests.scenarios.races import CALL_TIMEOUT_SECONDS, FINAL, TOO_LATE, error_reason
from tests.support.relay.script import repeatable
from tests.support.service_process import Stub, a_meet, scheduler_stub
from tests.support.wait import until

CANCEL, CANCEL_MANY, SUPPRESS = "CancelJob", "CancelJobs", "AddSuppression"
SESSIONS = "40"
POLL_INTERVAL_SECONDS = 0.03
DOMAINS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One run; a reply of the relay takes up to *max_reply_seconds*."""

    seed: int
    jobs: int = 2000
    max_reply_seconds: float = 0.6


@dataclass(frozen=True, slots=True, kw_only=True)
class CallResult:
    """A call about one job, its answer, and when that came, by the monotonic clock."""

    job_id: str
    email: str
    call: str
    answer: str
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioResult:
    scenario: Scenario
    call_results: Sequence[CallResult]
    documents: Mapping[str, Mapping[str, Any]]
    bodies: Mapping[str, Sequence[float]]
    mails: Mapping[str, int]
    seconds: float


async def run_scenario(folder: Path, scenario: Scenario) -> ScenarioResult:
    start, bodies = time.monotonic(), folder / "bodies.jsonl"
    relay = [
        "--bodies",
        str(bodies),
        "--slow",
        str(scenario.max_reply_seconds),
        "--seed",
        str(scenario.seed),
    ]
    async with a_cluster(folder, services=2, relay=relay, smtp_sessions=SESSIONS) as cluster:
        due = int(time.time() + 3 + scenario.jobs / 300)
        meets = [
            a_meet(number, timestamp=due, emailID=f"{number}@d{number % DOMAINS}.test")
            for number in range(scenario.jobs)
        ]
        assert {call.code for call in await cluster.call(meets)} == {"OK"}
        call_results = await call_when_claimed(cluster, scenario)
        await until(lambda: all_have_ended(cluster), within=120, every=0.5)
        body_starts = defaultdict(list)
        for entry in read_json_lines(bodies):
            body_starts[entry["recipient"]].append(entry["time"])
        return ScenarioResult(
            scenario=scenario,
            call_results=call_results,
            documents={job["_id"]: job for job in cluster.jobs()},
            bodies=body_starts,
            mails=Counter(entry["recipient"] for entry in cluster.ledger_entries()),
            seconds=round(time.monotonic() - start, 1),
        )


def all_have_ended(cluster: Cluster) -> bool:
    return {job["state"] for job in cluster.jobs()} <= FINAL


async def call_when_claimed(cluster: Cluster, scenario: Scenario) -> list[CallResult]:
    """Make a random call about each job, from its own caller, a moment after it was claimed."""
    chance = repeatable(f"claimed {scenario.seed}")
    async with (
        scheduler_stub(cluster.services[0].target) as one,
        scheduler_stub(cluster.services[1].target) as other,
        asyncio.TaskGroup() as tasks,
    ):
        calls = []
        async for job in watch_claimed_jobs(cluster, scenario.jobs):
            caller = Caller(stub=chance.choice([one, other]), job=job)
            call = chance.choice([CANCEL, CANCEL, CANCEL_MANY, SUPPRESS, SUPPRESS])
            after = chance.uniform(0.0, 2 * scenario.max_reply_seconds)
            calls.append(tasks.create_task(caller.call_after(call, after=after)))
        return [await each for each in calls]


async def watch_claimed_jobs(cluster: Cluster, count: int) -> AsyncIterator[Mapping[str, Any]]:
    """Yield each job when it is first seen claimed, until all *count* have ended."""
    known: set[str] = set()
    with closing(MongoClient[dict[str, Any]](cluster.mongo.uri)) as client:
        jobs = client.get_default_database()["jobs"]
        query, fields = {"state": "SENDING"}, {"email": 1, "empid": 1}
        ended = 0
        while ended < count:
            for job in await asyncio.to_thread(lambda: list(jobs.find(query, fields))):
                if job["_id"] not in known:
                    known.add(job["_id"])
                    yield job
            ended = await asyncio.to_thread(
                lambda: jobs.count_documents({"state": {"$in": sorted(FINAL)}})
            )
            await asyncio.sleep(POLL_INTERVAL_SECONDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    stub: Stub
    job: Mapping[str, Any]

    async def call_after(self, call: str, *, after: float) -> CallResult:
        await asyncio.sleep(after)
        try:
            answer = await self.call_once(call)
        except grpc.aio.AioRpcError as error:
            answer, _ = error_reason(error)
        job_id, email = self.job["_id"], self.job["email"]
        return CallResult(job_id=job_id, email=email, call=call, answer=answer, at=time.monotonic())

    async def call_once(self, call: str) -> str:
        if call == CANCEL:
            cancel = task_pb2.CancelJobRequest(job_id=self.job["_id"])
            await self.stub.CancelJob(cancel, timeout=CALL_TIMEOUT_SECONDS)
            return "OK"
        if call == SUPPRESS:
            request = task_pb2.AddSuppressionRequest(email=self.job["email"], reason="on request")
            await self.stub.AddSuppression(request, timeout=CALL_TIMEOUT_SECONDS)
            return "OK"
        job_filter = task_pb2.JobFilter(empid=self.job["empid"])
        bulk = task_pb2.ChangeJobsRequest(filter=job_filter)
        reply = await self.stub.CancelJobs(bulk, timeout=CALL_TIMEOUT_SECONDS)
        return f"OK {reply.count}"


def problems(found: ScenarioResult) -> list[str]:
    """List what is wrong with any call or job."""
    wrong = [
        f"{result}: {each}"
        for result in found.call_results
        for each in call_problems(found, result)
    ]
    for job in found.documents.values():
        wrong += [f"{job['_id']}: {each}" for each in final_state_problems(found, job)]
    return wrong


def call_problems(found: ScenarioResult, result: CallResult) -> Iterator[str]:
    state, bodies = found.documents[result.job_id]["state"], found.bodies.get(result.email, ())
    if result.answer in {"OK", "OK 1"} and result.call != SUPPRESS and state != "CANCELLED":
        yield f"cancelled with OK, and {state}"
    if result.answer == "OK" and any(body > result.at for body in bodies):
        yield f"a body began {max(bodies) - result.at:.3f} s after the OK"
    if result.answer in {TOO_LATE, "OK 0"} and state not in {"SENT", "SUPPRESSED"}:
        yield f"too late to change, and {state}"


def final_state_problems(found: ScenarioResult, job: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with the final state of *job*, whatever its caller was answered."""
    state, email = job["state"], job["email"]
    mails, bodies = found.mails.get(email, 0), len(found.bodies.get(email, ()))
    if (mails, bodies) != ((1, 1) if state == "SENT" else (0, 0)):
        yield f"{state}, with {bodies} bodies and {mails} mails"
    if state not in {"SENT", "CANCELLED", "SUPPRESSED"}:
        yield f"ended as {state}"
    if {"claim", "lease", "begun"} & job.keys():
        yield "still has a claim"


def figures(found: ScenarioResult) -> dict[str, Any]:
    """Return the figures of the run for a report."""
    wrong = problems(found)
    later = [
        result.at - max(bodies)
        for result in found.call_results
        if result.call == SUPPRESS
        and result.answer == "OK"
        and (bodies := found.bodies.get(result.email))
    ]
    return {
        "seed": found.scenario.seed,
        "jobs": found.scenario.jobs,
        "longest_reply_seconds": found.scenario.max_reply_seconds,
        "seconds": found.seconds,
        "called_while_claimed": len(found.call_results),
        "answers": dict(
            sorted(Counter(f"{each.call}: {each.answer}" for each in found.call_results).items())
        ),
        "states": dict(Counter(job["state"] for job in found.documents.values())),
        "bodies_begun": sum(map(len, found.bodies.values())),
        "mails": sum(found.mails.values()),
        "shortest_from_body_to_ok_of_a_suppression_seconds": round(min(later), 4)
        if later
        else None,
        "problems": len(wrong),
        "first_problems": wrong[:10],
    }
