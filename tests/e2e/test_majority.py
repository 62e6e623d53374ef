"""A call is answered OK only when a majority has the write: three nodes, two stop replicating."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest

from gcsched.adapters.mongo import connection
from gcsched.pb import task_pb2
from tests.chaos.replica_set import PARAMETERS, Member, ReplicaSet, a_replica_set
from tests.support.in_process_app import make_settings, running_app, schedule_mails
from tests.support.relay.server import Relay
from tests.support.service_process import Stub, a_meet, scheduler_stub
from tests.support.wait import until

CALL_TIMEOUT_SECONDS, WTIMEOUT_MS = 3.0, 1_000  # time for a second write after a failed one
SHORT_TIMEOUT_SECONDS = 1.0
JOBS = 20
AT_A_TIME = 4  # fewer than the threads of the driver: the others would wait for one
REACHED_WITHIN_SECONDS = 120.0  # also on a machine that is busy with other things
ADDRESS = "ada@example.org"
ACTS = {
    "AddSuppression",
    "CancelJobs",
    "ForgetRecipient",
    "RemoveSuppression",
    "ResumeSending",
    "RunDailyQueue",
}
UNCONFIRMED = {"UNAVAILABLE", "DEADLINE_EXCEEDED"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicatedService:
    nodes: ReplicaSet
    stub: Stub

    async def lose_majority(self) -> Member:
        """Stop the replication from the primary to the other members; return the primary."""
        primary = await self.nodes.wait_for_primary()
        others = [each for each in self.nodes.members if each is not primary]
        await asyncio.to_thread(self.nodes.set_replication, others, enabled=False)
        return primary

    async def kill(self, primary: Member) -> None:
        """Kill *primary*, so that writes only it has are lost; wait until another one leads."""
        primary.server.kill()
        others = [each for each in self.nodes.members if each is not primary]
        await asyncio.to_thread(self.nodes.set_replication, others, enabled=True)
        await until(lambda: asyncio.to_thread(has_primary, others), within=30)


def has_primary(members: list[Member]) -> bool:
    return any(member.is_primary() for member in members)


@pytest.fixture
async def service(
    tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[ReplicatedService]:
    monkeypatch.setattr(connection, "WTIMEOUT_MS", WTIMEOUT_MS)
    parameters = {**PARAMETERS, "enableTestCommands": "1"}
    async with Relay() as relay, a_replica_set(tmp_path, parameters) as nodes:
        settings = make_settings(mongo=nodes.uri("service"), redis=redis_url, relay_port=relay.port)
        async with running_app(settings) as app, scheduler_stub(app.target) as stub:
            await schedule_mails(app, 1)
            await until(lambda: relay.ledger)
            yield ReplicatedService(nodes=nodes, stub=stub)


async def call_code(call: Awaitable[Any]) -> str:
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return error.code().name
    return "OK"


async def test_a_change_that_only_the_primary_has_is_never_answered_with_ok(
    service: ReplicatedService,
) -> None:
    stub, ahead = service.stub, int(time.time()) + 3_600
    ids = [
        (await stub.ScheduleMeet(a_meet(number + 100, timestamp=ahead))).job_id
        for number in range(JOBS)
    ]
    queued = await stub.ScheduleMeet(a_meet(200, timestamp=0))
    await stub.PauseSending(task_pb2.PauseSendingRequest(by="ada", reason="the relay moves"))
    await stub.AddSuppression(task_pb2.AddSuppressionRequest(email=ADDRESS, reason="no more"))
    primary = await service.lose_majority()

    # The first calls write; the later ones find on the primary what those have written.
    codes = await call_until_all_reach(primary, stub)
    codes |= await cancel_until_all_reach(primary, stub, ids)
    codes |= await cancel_jobs(stub, [*ids, queued.job_id])
    codes |= set(await asyncio.gather(*call_all(stub)))
    before = count_states(await asyncio.to_thread(primary.find, "jobs"))
    await service.kill(primary)

    # The replica set has none of these writes.
    assert before["CANCELLED"] >= JOBS
    assert codes <= UNCONFIRMED
    after = count_states(await asyncio.to_thread(service.nodes.read, "jobs"))
    assert after == {"SCHEDULED": JOBS, "QUEUED": 1, "SENT": 1}
    cancelled = await stub.CancelJobs(task_pb2.ChangeJobsRequest(all=True), timeout=30)
    assert cancelled.count == JOBS + 1
    assert count_states(await asyncio.to_thread(service.nodes.read, "jobs")) == {
        "CANCELLED": JOBS + 1,
        "SENT": 1,
    }


def call_all(stub: Stub) -> list[Awaitable[str]]:
    """Call each method that is recorded in the audit, once."""
    timeout = CALL_TIMEOUT_SECONDS
    calls: list[Awaitable[Any]] = [
        stub.CancelJobs(task_pb2.ChangeJobsRequest(all=True), timeout=timeout),
        stub.ResumeSending(task_pb2.ResumeSendingRequest(by="bob"), timeout=timeout),
        stub.RunDailyQueue(task_pb2.RunDailyQueueRequest(), timeout=timeout),
        stub.ForgetRecipient(task_pb2.ForgetRecipientRequest(empid="EMP000000"), timeout=timeout),
        stub.RemoveSuppression(task_pb2.RemoveSuppressionRequest(email=ADDRESS), timeout=timeout),
        stub.AddSuppression(
            task_pb2.AddSuppressionRequest(email="bob@example.org", reason="no more"),
            timeout=timeout,
        ),
    ]
    return [call_code(call) for call in calls]


async def call_until_all_reach(primary: Member, stub: Stub) -> set[str]:
    """Call each method until the primary has a record of each; return the codes of the calls.

    The primary has no more than that: an act that no majority has recorded is not made.
    """
    earlier = {entry["_id"] for entry in await asyncio.to_thread(primary.find, "audit")}
    codes = set[str]()

    async def has_all() -> bool:
        codes.update(await asyncio.gather(*call_all(stub)))
        audit = await asyncio.to_thread(primary.find, "audit")
        return {entry["act"] for entry in audit if entry["_id"] not in earlier} >= ACTS

    await until(has_all, within=REACHED_WITHIN_SECONDS)
    return codes


async def cancel_until_all_reach(primary: Member, stub: Stub, ids: list[str]) -> set[str]:
    """Cancel those of *ids* that the primary has not cancelled, until there are none."""
    codes = set[str]()

    async def has_all() -> bool:
        jobs = await asyncio.to_thread(primary.find, "jobs")
        cancelled = {job["_id"] for job in jobs if job["state"] == "CANCELLED"}
        left = [each for each in ids if each not in cancelled]
        codes.update(await cancel_jobs(stub, left))
        return not left

    await until(has_all, within=REACHED_WITHIN_SECONDS)
    return codes


async def cancel_jobs(stub: Stub, ids: list[str]) -> set[str]:
    """Cancel each job once, a few at a time, in a call that has no time for a second write."""
    codes = set[str]()
    for start in range(0, len(ids), AT_A_TIME):
        requests = [task_pb2.CancelJobRequest(job_id=each) for each in ids[start:][:AT_A_TIME]]
        calls = [stub.CancelJob(each, timeout=SHORT_TIMEOUT_SECONDS) for each in requests]
        codes |= set(await asyncio.gather(*map(call_code, calls)))
    return codes


def count_states(jobs: list[dict[str, Any]]) -> dict[str, int]:
    found = [job["state"] for job in jobs]
    return {state: found.count(state) for state in set(found)}
