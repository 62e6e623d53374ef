"""A call is answered OK only when a majority has the write: three nodes, two stop replicating."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
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

CALL_TIMEOUT_SECONDS, WTIMEOUT_MS = 4.5, 1_500  # time for a second write after a failed one
SHORT_TIMEOUT_SECONDS = 1.0
JOBS = 20
MAX_TRIES = 20
ADDRESS = "ada@example.org"


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

    calls: dict[str, Callable[[], Awaitable[Any]]] = {
        "CancelJobs": lambda: stub.CancelJobs(
            task_pb2.ChangeJobsRequest(all=True), timeout=CALL_TIMEOUT_SECONDS
        ),
        "CancelJob": lambda: stub.CancelJob(
            task_pb2.CancelJobRequest(job_id=queued.job_id), timeout=CALL_TIMEOUT_SECONDS
        ),
        "ResumeSending": lambda: stub.ResumeSending(
            task_pb2.ResumeSendingRequest(by="bob"), timeout=CALL_TIMEOUT_SECONDS
        ),
        "RunDailyQueue": lambda: stub.RunDailyQueue(
            task_pb2.RunDailyQueueRequest(), timeout=CALL_TIMEOUT_SECONDS
        ),
        "ForgetRecipient": lambda: stub.ForgetRecipient(
            task_pb2.ForgetRecipientRequest(empid="EMP000000"), timeout=CALL_TIMEOUT_SECONDS
        ),
        "RemoveSuppression": lambda: stub.RemoveSuppression(
            task_pb2.RemoveSuppressionRequest(email=ADDRESS), timeout=CALL_TIMEOUT_SECONDS
        ),
        "AddSuppression": lambda: stub.AddSuppression(
            task_pb2.AddSuppressionRequest(email="bob@example.org", reason="no more"),
            timeout=CALL_TIMEOUT_SECONDS,
        ),
    }
    first = [call_code(call()) for call in calls.values()]
    codes = set(await asyncio.gather(*first, *cancel_each(stub, ids)))
    # CancelJobs changes nothing: an act that no majority has recorded is not made. The changes of
    # single jobs reach the primary; on a slow machine they may need several calls.
    for _ in range(MAX_TRIES):
        if count_states(await asyncio.to_thread(primary.find, "jobs")).get("CANCELLED", 0) >= JOBS:
            break
        codes |= set(await asyncio.gather(*cancel_each(stub, ids)))
    codes |= set(await asyncio.gather(*(call_code(call()) for call in calls.values())))
    before = count_states(await asyncio.to_thread(primary.find, "jobs"))
    await service.kill(primary)

    # The replica set has none of these writes.
    assert before["CANCELLED"] >= JOBS
    assert codes <= {"UNAVAILABLE", "DEADLINE_EXCEEDED"}
    after = count_states(await asyncio.to_thread(service.nodes.read, "jobs"))
    assert after == {"SCHEDULED": JOBS, "QUEUED": 1, "SENT": 1}
    cancelled = await stub.CancelJobs(task_pb2.ChangeJobsRequest(all=True), timeout=30)
    assert cancelled.count == JOBS + 1
    assert count_states(await asyncio.to_thread(service.nodes.read, "jobs")) == {
        "CANCELLED": JOBS + 1,
        "SENT": 1,
    }


def cancel_each(stub: Stub, ids: list[str]) -> list[Awaitable[str]]:
    """Cancel each job in a call that has no time for a second write: others wait for its turn."""
    requests = [task_pb2.CancelJobRequest(job_id=each) for each in ids]
    return [call_code(stub.CancelJob(each, timeout=SHORT_TIMEOUT_SECONDS)) for each in requests]


def count_states(jobs: list[dict[str, Any]]) -> dict[str, int]:
    found = [job["state"] for job in jobs]
    return {state: found.count(state) for state in set(found)}
