"""Reflection publishes the contract, and not the internal package name of the generated code."""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import grpc
import pytest
from google.protobuf import message_factory
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

from gcsched.pb import task_pb2
from gcsched.rpc.servicer import SchedulerServicer
from tests.contract.buf import run_buf
from tests.generate import contract
from tests.generate.proto import PROTO
from tests.support.handler_server import serve_servicer
from tests.support.handlers import METHOD_NAMES, handlers_of
from tests.support.in_process_app import RunningApp
from tests.support.relay.server import Relay
from tests.support.wait import until

T = TypeVar("T")
FIELDS = {"empid": "E1", "emailID": "ada@example.org", "message": "Lunch", "timestamp": 1672531200}
OVER_GRPC = ["--protocol", "grpc", "--http2-prior-knowledge"]
SYMBOLS = [
    "scheduler.Scheduler",
    "scheduler.Scheduler.ScheduleMeet",
    "scheduler.MeetRequest",
    "scheduler.MeetRequest.empid",
    "scheduler.StatusReport.Relay.State",
    "scheduler.Priority",
]


@contextmanager
def open_reflection(
    target: str,
) -> Iterator[tuple[grpc.Channel, ProtoReflectionDescriptorDatabase]]:
    with grpc.insecure_channel(target) as channel:
        yield channel, ProtoReflectionDescriptorDatabase(channel)


async def look_up(query: Callable[[ProtoReflectionDescriptorDatabase], T]) -> T:
    """Run *query*, which blocks, in a thread against a server without handlers."""

    def run_query(target: str) -> T:
        with open_reflection(target) as (_, database):
            return query(database)

    async with serve_servicer(SchedulerServicer(handlers_of())) as target:
        return await asyncio.to_thread(run_query, target)


def names(file: FileDescriptorProto) -> tuple[str, str, set[str]]:
    return file.name, file.package, {message.name for message in file.message_type}


async def test_it_lists_the_published_service() -> None:
    services = await look_up(lambda database: set(database.get_services()))

    assert services == {
        "scheduler.Scheduler",
        "grpc.health.v1.Health",
        "grpc.reflection.v1alpha.ServerReflection",
    }


@pytest.mark.parametrize("symbol", SYMBOLS)
async def test_a_symbol_is_found_in_the_published_file(symbol: str) -> None:
    file = await look_up(lambda database: database.FindFileContainingSymbol(symbol))

    assert names(file) == names(contract.read_contract().file)


@pytest.mark.parametrize(
    "name",
    [
        "grpc.health.v1.Health",
        "grpc.reflection.v1alpha.ServerReflection",
        "google.rpc.Status",
        "google.protobuf.Timestamp",
    ],
)
async def test_other_served_and_imported_symbols_are_found(name: str) -> None:
    file = await look_up(lambda database: database.FindFileContainingSymbol(name))

    assert file.package == name.rpartition(".")[0]


async def test_files_are_found_by_the_name_in_an_import() -> None:
    file = await look_up(lambda database: database.FindFileByName("task.proto"))

    assert names(file) == names(contract.read_contract().file)


@pytest.mark.parametrize(
    "name",
    [
        task_pb2.MeetRequest.DESCRIPTOR.full_name,
        "scheduler.Nothing",
        "scheduler.Scheduler.Nothing",
        "scheduler.MeetRequest.nothing",
        "",
    ],
)
async def test_internal_and_unknown_names_are_not_found(name: str) -> None:
    with pytest.raises(KeyError):
        await look_up(lambda database: database.FindFileContainingSymbol(name))


async def test_a_caller_without_stubs_can_call_with_reflection_alone(
    app: RunningApp, relay: Relay
) -> None:
    def call() -> tuple[bool, str]:
        with open_reflection(app.target) as (channel, database):
            service = DescriptorPool(database).FindServiceByName("scheduler.Scheduler")
            method = service.methods_by_name["ScheduleMeet"]
            request = message_factory.GetMessageClass(method.input_type)
            response = message_factory.GetMessageClass(method.output_type)
            schedule = channel.unary_unary(
                f"/{service.full_name}/{method.name}",
                request_serializer=request.SerializeToString,
                response_deserializer=response.FromString,
            )
            reply: Any = schedule(request(**FIELDS), timeout=5)
            return reply.success, reply.job_id

    success, job_id = await asyncio.to_thread(call)

    assert success
    await until(lambda: relay.ledger)
    assert job_id in relay.ledger[0].header("Message-ID")


async def test_buf_lists_all_methods_by_reflection() -> None:
    async with serve_servicer(SchedulerServicer(handlers_of())) as target:
        listed = await run_buf("curl", *OVER_GRPC, "--list-methods", f"http://{target}")

    published = {line for line in listed.splitlines() if line.startswith("scheduler.")}
    assert published == {f"scheduler.Scheduler/{name}" for name in METHOD_NAMES}


@pytest.mark.parametrize("schema", [[], ["--schema", str(PROTO)]], ids=["reflection", "proto"])
async def test_buf_calls_the_service(schema: list[str], app: RunningApp) -> None:
    url = f"http://{app.target}/scheduler.Scheduler/ScheduleMeet"

    printed = await run_buf("curl", *OVER_GRPC, *schema, "--data", json.dumps(FIELDS), url)

    assert json.loads(printed)["success"] is True


async def test_buf_prints_the_details_of_a_refused_request(app: RunningApp) -> None:
    url = f"http://{app.target}/scheduler.Scheduler/ScheduleMeet"
    options = [*OVER_GRPC, "--schema", str(PROTO)]

    refusal = json.loads(await run_buf("curl", *options, "--data", "{}", url, code=3 * 8))

    assert refusal["code"] == "invalid_argument"
    assert {detail["type"] for detail in refusal["details"]} >= {"google.rpc.ErrorInfo"}
