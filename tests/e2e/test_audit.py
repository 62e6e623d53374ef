"""Acts of a process that is killed between the act and its answer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from pymongo import MongoClient

from gcsched.dev.stores.mongod import MongodOptions
from gcsched.domain.access import Client, Scope
from gcsched.pb import task_pb2
from gcsched.rpc.caller import CALLER
from tests.support.bulk_changes import insert_jobs, many
from tests.support.launch import fork_service
from tests.support.ports import free_port
from tests.support.relay.server import Relay
from tests.support.rows import Row, Rows
from tests.support.service_process import ServiceProcess, environment, scheduler_stub
from tests.support.stores import own_mongod
from tests.support.wait import until

FAR = datetime(2100, 1, 1, tzinfo=UTC)
WITH_FAIL_POINTS = MongodOptions(parameters={"enableTestCommands": "1"})
FailPoint = AbstractAsyncContextManager[None]
AFTER_EVERY_WRITE = "hangBeforeWaitingForWriteConcern"
BEFORE_ENDS = {  # the first write of an act to the audit is its record, the second its end
    "failCommands": ["update"],
    "namespace": "gcsched.audit",
    "blockConnection": True,
    "blockTimeMS": 60_000,
}


def take_every_caller_for_payroll() -> None:
    CALLER.set(Client(name="payroll", scopes=frozenset({Scope.ADMIN})))


@asynccontextmanager
async def fail_point(control: MongoClient[Row], name: str, **how: Any) -> AsyncIterator[None]:
    command = partial(asyncio.to_thread, control.admin.command, "configureFailPoint", name)
    await command(**how)
    try:
        yield
    finally:
        await command(mode="off")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kills:
    """Kills services with *settings* between an act and its answer."""

    settings: dict[str, str]
    folder: Path
    control: MongoClient[Row]

    @property
    def jobs(self) -> Rows:
        return self.control["gcsched"]["jobs"]

    def find_cancelled(self) -> list[Row]:
        return list(self.jobs.find({"state": "CANCELLED"}, sort=[("_id", 1)]))

    async def kill_during(
        self, method: str, request: Any, *, blocked: FailPoint, cancelled: int
    ) -> None:
        """Call a new service while MongoDB is *blocked*; kill it when so many are *cancelled*."""
        service = ServiceProcess(
            environment=self.settings,
            log_file=self.folder / f"{method}.log",
            port=free_port(),
            launcher=partial(fork_service, before=take_every_caller_for_payroll),
        )
        try:
            await service.start()
            async with scheduler_stub(service.target) as stub, blocked:
                call = asyncio.ensure_future(getattr(stub, method)(request, timeout=30))
                await until(lambda: len(self.find_cancelled()) == cancelled)
                await service.kill()
                await asyncio.wait({call})
        finally:
            await service.kill_if_running()


async def test_after_a_kill_between_act_and_answer_the_act_is_found_with_the_right_name(
    tmp_path: Path, redis_url: str, relay: Relay
) -> None:
    async with own_mongod(tmp_path, WITH_FAIL_POINTS) as server:
        settings = environment(mongo=server.uri, redis=redis_url, relay_port=relay.port)
        with MongoClient[Row](server.uri, tz_aware=True) as control:
            kills = Kills(settings=settings, folder=tmp_path, control=control)
            insert_jobs(kills.jobs, many(2, due_time=FAR, expire_time=FAR + timedelta(days=1)))

            await kills.kill_during(
                "CancelJob",
                task_pb2.CancelJobRequest(job_id="job-00000", reason="moved"),
                blocked=fail_point(control, AFTER_EVERY_WRITE, mode="alwaysOn"),
                cancelled=1,
            )
            await kills.kill_during(
                "CancelJobs",
                task_pb2.ChangeJobsRequest(all=True, reason="over"),
                blocked=fail_point(control, "failCommand", mode={"skip": 1}, data=BEFORE_ENDS),
                cancelled=2,
            )

            first, second = kills.find_cancelled()
            [entry] = control["gcsched"]["audit"].find()

    [step], [other_step] = first["steps"], second["steps"]
    assert (step["who"], step["act"], step["reason"]) == ("payroll", "CancelJob", "moved")
    assert (other_step["who"], other_step["act"]) == ("payroll", "CancelJobs")
    assert (entry["who"], entry["act"], entry["outcome"]) == ("payroll", "CancelJobs", "STARTED")
    assert "ended" not in entry
