"""Each method of both clients sends the request that the contract has for it."""

import inspect
from typing import Any

import pytest
from google.protobuf.message import Message

from gcsched.client import AsyncClient, Client
from gcsched.pb import task_pb2
from tests.support.client_calls import MethodCall
from tests.support.client_methods import CASES
from tests.support.fake_scheduler import fake_scheduler


@pytest.mark.parametrize(("method", "given", "rpc", "request_sent", "reply", "shown"), CASES)
async def test_a_method_sends_its_request_and_reads_the_reply(  # noqa: PLR0913, PLR0917
    run_method: MethodCall,
    method: str,
    given: dict[str, Any],
    rpc: str,
    request_sent: Message,
    reply: Message,
    shown: str,
) -> None:
    async with fake_scheduler(**{rpc: reply}) as server:
        result = await run_method(server.target, method, **given)

    assert server.requests == [request_sent]
    assert shown in repr(result)


def list_methods(kind: type[Any]) -> dict[str, inspect.Signature]:
    members = inspect.getmembers(kind, inspect.isfunction)
    return {name: inspect.signature(each) for name, each in members if not name.startswith("_")}


def test_there_is_a_method_for_each_of_the_contract() -> None:
    called = {each.values[2] for each in CASES}

    assert called == set(task_pb2.DESCRIPTOR.services_by_name["Scheduler"].methods_by_name)
    assert {each.id for each in CASES} | {"call", "close", "watch_health"} == set(
        list_methods(Client)
    )


def test_both_clients_take_the_same_arguments() -> None:
    blocking, asynchronous = list_methods(Client), list_methods(AsyncClient)

    assert blocking.keys() == asynchronous.keys()
    for name, each in blocking.items():
        other = asynchronous[name]
        assert each.parameters == other.parameters, name
        returned = str(each.return_annotation).replace("abc.Iterator", "abc.AsyncIterator")
        assert returned == str(other.return_annotation), name
    assert inspect.signature(Client) == inspect.signature(AsyncClient)
