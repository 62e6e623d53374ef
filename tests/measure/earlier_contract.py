"""Call each method of this version with a client that was generated from an earlier contract.

    python -m tests.measure.earlier_contract --old COMMIT [--json FILE]

Calls the methods that the earlier contract has. Each request is built by this version's contract
and passed to the earlier one as octets, so names may differ, but numbers may not. Prints one JSON
document: for each method the status code, and the fields of the answer by their earlier names. A
call that fails ends the run. The exit code is 1 unless each method answered OK and each answer has
the same octets after parsing by either contract.
"""

import argparse
import asyncio
import importlib
import json
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import grpc
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from grpc_tools import protoc

from gcsched.pb import task_pb2
from tests.generate.proto import BUNDLED
from tests.support.ports import free_port
from tests.support.program_versions import ROOT, describe_commit, output
from tests.support.relay.script import At, LoseReply
from tests.support.relay.server import Relay
from tests.support.service_process import ServiceProcess, environment
from tests.support.stores import own_mongod, own_valkey
from tests.support.wait import until

A_YEAR = 365 * 86_400


async def generate(commit: str, folder: Path) -> tuple[ModuleType, ModuleType]:
    """Generate modules from the contract of *commit*; its package has the published name."""
    for name in ("task.proto", "google/rpc/status.proto"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(await output("git", "show", f"{commit}:proto/{name}"))
    options = [
        f"-I{folder}",
        f"-I{BUNDLED}",
        f"--python_out={folder}",
        f"--grpc_python_out={folder}",
    ]
    assert protoc.main(["protoc", *options, "task.proto"]) == 0
    sys.path.insert(0, str(folder))
    return importlib.import_module("task_pb2"), importlib.import_module("task_pb2_grpc")


class EarlierClient:
    """Calls methods through the earlier stubs; records the latest answer of each."""

    def __init__(self, messages: ModuleType, stub: Any) -> None:
        self._messages = messages
        self._stub = stub
        self.seen: dict[str, dict[str, Any]] = {}

    async def call(self, method: str, request: Message) -> Any:
        """Call *method*; return the answer, parsed by this version's contract."""
        earlier_type = getattr(self._messages, request.DESCRIPTOR.name)
        earlier = earlier_type.FromString(request.SerializeToString())
        assert not has_unknown(earlier), f"{method}: the earlier contract lacks a field"
        try:
            answer = await getattr(self._stub, method)(earlier, timeout=10)
        except grpc.aio.AioRpcError as error:
            self.seen[method] = {"code": error.code().name, "details": error.details()}
            raise
        present = present_type(answer).FromString(answer.SerializeToString())
        same = present.SerializeToString(deterministic=True) == answer.SerializeToString(
            deterministic=True
        )
        fields = [field.name for field, _ in answer.ListFields()]
        self.seen[method] = {"code": "OK", "fields": fields, "same": same}
        return present


async def is_answered(client: EarlierClient, method: str, request: Message) -> bool:
    with suppress(grpc.aio.AioRpcError):
        await client.call(method, request)
    return bool(client.seen[method]["code"] == "OK")


def method_names(messages: ModuleType) -> list[str]:
    """Return the methods of the earlier contract."""
    return [each.name for each in messages.DESCRIPTOR.services_by_name["Scheduler"].methods]


def has_unknown(message: Message) -> bool:
    again = type(message)()
    again.CopyFrom(message)
    again.DiscardUnknownFields()
    return bool(again.ByteSize() != message.ByteSize())


def present_type(message: Message) -> Any:
    return getattr(task_pb2, message.DESCRIPTOR.name)


async def call_all(client: EarlierClient) -> None:
    """Call each method at least once, as callers and operators do."""
    call, now = client.call, int(time.time())
    job_filter = task_pb2.JobFilter(state="SCHEDULED")

    async def schedule(name: str, timestamp: int) -> str:
        reply = await call("ScheduleMeet", a_request(name, timestamp))
        return str(reply.job_id)

    job = task_pb2.GetJobRequest(job_id=await schedule("ada", now + A_YEAR))
    await call(
        "BatchScheduleMeets",
        task_pb2.BatchScheduleMeetsRequest(requests=[a_request("bob", 0), a_request("", 0)]),
    )
    await call("GetJob", job)
    await call("ListJobs", task_pb2.ListJobsRequest(filter=job_filter, page_size=1))
    await call("CountJobs", task_pb2.CountJobsRequest(filter=job_filter))
    await call(
        "RescheduleJob",
        task_pb2.RescheduleJobRequest(job_id=job.job_id, timestamp=now + A_YEAR + 60),
    )
    await call("CancelJob", task_pb2.CancelJobRequest(job_id=job.job_id, reason="postponed"))
    uncertain = await schedule("uncertain", 1)

    async def is_uncertain() -> bool:
        found = await call("GetJob", task_pb2.GetJobRequest(job_id=uncertain))
        return bool(found.state == task_pb2.Job.UNCERTAIN)

    await until(is_uncertain, within=20)
    await call(
        "ResolveJob",
        task_pb2.ResolveJobRequest(job_id=uncertain, state="FAILED", reason="not in their log"),
    )
    await call("PauseSending", task_pb2.PauseSendingRequest(by="Ada", reason="relay moves"))
    await call("RetryJob", task_pb2.RetryJobRequest(job_id=uncertain))
    bulk = task_pb2.ChangeJobsRequest(filter=job_filter, validate_only=True)
    await call("CancelJobs", bulk)
    await call("RetryJobs", bulk)
    await call("GetStatus", task_pb2.GetStatusRequest())
    await call("ResumeSending", task_pb2.ResumeSendingRequest(by="Ada"))
    await call("RunDailyQueue", task_pb2.RunDailyQueueRequest())
    await call(
        "AddSuppression",
        task_pb2.AddSuppressionRequest(
            email="gone@example.org", reason="left", expire_time=Timestamp(seconds=now + A_YEAR)
        ),
    )
    await call("GetSuppression", task_pb2.GetSuppressionRequest(email="gone@example.org"))
    await call("ListSuppressions", task_pb2.ListSuppressionsRequest())
    await call("RemoveSuppression", task_pb2.RemoveSuppressionRequest(email="gone@example.org"))
    recipient = task_pb2.GetRecipientRequest(empid="E-ada")
    await until(partial(is_answered, client, "GetRecipient", recipient), within=10)  # stored later
    await call("ForgetRecipient", task_pb2.ForgetRecipientRequest(empid="E-ada"))
    await call("ListTemplates", task_pb2.ListTemplatesRequest())
    await call("PreviewTemplate", task_pb2.PreviewTemplateRequest(message="Hello"))


def a_request(name: str, timestamp: int) -> task_pb2.MeetRequest:
    return task_pb2.MeetRequest(
        empid=f"E-{name}",
        emailID=f"{name}@example.org",
        message="Interview",
        empName=name,
        timestamp=timestamp,
    )


async def measure(commit: str, folder: Path) -> Mapping[str, Any]:
    messages, services = await generate(commit, folder)
    async with AsyncExitStack() as stack:
        mongo = await stack.enter_async_context(own_mongod(folder))
        valkey = await stack.enter_async_context(own_valkey(folder))
        relay = await stack.enter_async_context(Relay())
        relay.script(At.BODY, LoseReply(), to="uncertain@example.org")
        settings = environment(
            mongo=mongo.uri, redis=valkey.uri, relay_port=relay.port, on_uncertain="hold"
        )
        process = ServiceProcess(
            environment=settings, log_file=folder / "service.log", port=free_port()
        )
        stack.push_async_callback(process.kill_if_running)
        await process.start()
        channel = await stack.enter_async_context(grpc.aio.insecure_channel(process.target))
        client = EarlierClient(messages, services.SchedulerStub(channel))
        with suppress(grpc.aio.AioRpcError):  # recorded with its method
            await call_all(client)
    return {
        "command": f"python -m tests.measure.earlier_contract --old {commit}",
        "commit": await describe_commit(ROOT),
        "contract": commit,
        "methods": {name: client.seen.get(name) for name in method_names(messages)},
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--old", required=True, help="the commit of the earlier contract")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = asyncio.run(measure(options.old, Path(folder)))
    print(json.dumps(figures, indent=1))
    if options.json is not None:
        options.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    answers = figures["methods"].values()
    return int(not all(each and each["code"] == "OK" and each["same"] for each in answers))


if __name__ == "__main__":
    sys.exit(main())
