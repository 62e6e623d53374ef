"""Acts of a process that is killed between the act and its answer."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
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
from tests.support.console import ConsoleClients, open_browser, read_form
from tests.support.launch import Launch, fork_service
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
    launcher: Launch

    @property
    def jobs(self) -> Rows:
        return self.control["gcsched"]["jobs"]

    def find_cancelled(self) -> list[Row]:
        return list(self.jobs.find({"state": "CANCELLED"}, sort=[("_id", 1)]))

    async def kill_during(
        self,
        name: str,
        call: Callable[[ServiceProcess], Coroutine[Any, Any, object]],
        *,
        blocked: FailPoint,
        cancelled: int,
    ) -> None:
        """Call a new service while MongoDB is *blocked*; kill it when so many are *cancelled*."""
        service = ServiceProcess(
            environment=self.settings,
            log_file=self.folder / f"{name}.log",
            port=free_port(),
            launcher=self.launcher,
        )
        try:
            await service.start()
            async with blocked:
                calling = asyncio.create_task(call(service))
                await until(lambda: len(self.find_cancelled()) == cancelled)
                assert not calling.done()
                await service.kill()
                await asyncio.gather(calling, return_exceptions=True)
        finally:
            await service.kill_if_running()


def call_method(
    method: str, request: object
) -> Callable[[ServiceProcess], Coroutine[Any, Any, object]]:
    async def call(service: ServiceProcess) -> object:
        async with scheduler_stub(service.target) as stub:
            return await getattr(stub, method)(request, timeout=30)

    return call


async def test_after_a_kill_between_act_and_answer_the_act_is_found_with_the_right_name(
    tmp_path: Path, redis_url: str, relay: Relay
) -> None:
    async with own_mongod(tmp_path, WITH_FAIL_POINTS) as server:
        settings = environment(mongo=server.uri, redis=redis_url, relay_port=relay.port)
        with MongoClient[Row](server.uri, tz_aware=True) as control:
            launcher = partial(fork_service, before=take_every_caller_for_payroll)
            kills = Kills(settings=settings, folder=tmp_path, control=control, launcher=launcher)
            insert_jobs(kills.jobs, many(2, due_time=FAR, expire_time=FAR + timedelta(days=1)))

            await kills.kill_during(
                "one",
                call_method(
                    "CancelJob", task_pb2.CancelJobRequest(job_id="job-00000", reason="moved")
                ),
                blocked=fail_point(control, AFTER_EVERY_WRITE, mode="alwaysOn"),
                cancelled=1,
            )
            await kills.kill_during(
                "all",
                call_method("CancelJobs", task_pb2.ChangeJobsRequest(all=True, reason="over")),
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


async def test_the_same_holds_for_acts_in_the_console(
    tmp_path: Path, redis_url: str, relay: Relay
) -> None:
    clients, port = ConsoleClients(file=tmp_path / "clients.toml"), free_port()
    clients.add("read", "steer", "bulk", name="eva")

    async def cancel(path: str, **given: str) -> None:
        async with open_browser(f"http://127.0.0.1:{port}") as browser:
            assert (await browser.log_in(clients.tokens["eva"])).status == 303
            fields = {"reason": "typed twice", **given}
            if path.startswith("/jobs/"):
                page = await browser.open(path.removesuffix("/cancel"))
                fields = dict(read_form(page, "/cancel")) | fields
            await browser.send(path, fields)

    async with own_mongod(tmp_path, WITH_FAIL_POINTS) as server:
        settings = environment(
            mongo=server.uri,
            redis=redis_url,
            relay_port=relay.port,
            console_listen=f"127.0.0.1:{port}",
            clients_file=str(clients.file),
        )
        with MongoClient[Row](server.uri, tz_aware=True) as control:
            kills = Kills(
                settings=settings, folder=tmp_path, control=control, launcher=fork_service
            )
            insert_jobs(kills.jobs, many(2, due_time=FAR, expire_time=FAR + timedelta(days=1)))
            await kills.kill_during(
                "one",
                lambda _: cancel("/jobs/job-00000/cancel"),
                blocked=fail_point(control, AFTER_EVERY_WRITE, mode="alwaysOn"),
                cancelled=1,
            )
            await kills.kill_during(
                "all",
                lambda _: cancel("/jobs-filtered/cancel", all="yes", count="1"),
                blocked=fail_point(control, "failCommand", mode={"skip": 1}, data=BEFORE_ENDS),
                cancelled=2,
            )
            steps = [each["steps"] for each in kills.find_cancelled()]
            [entry] = control["gcsched"]["audit"].find()

    found = [(step["who"], step["via"], step["act"]) for [step] in steps]
    assert found == [("eva", "console", "CancelJob"), ("eva", "console", "CancelJobs")]
    assert (entry["who"], entry["via"], entry["act"]) == ("eva", "console", "CancelJobs")
    assert entry["outcome"] == "STARTED"
