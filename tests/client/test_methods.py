"""Each method of both clients sends the request that the contract has for it."""

import inspect
from typing import Any

import pytest

from gcsched.client import AsyncClient, Client
from gcsched.pb import task_pb2
from tests.support.client_calls import MethodCall
from tests.support.client_meetings import MEETING_CASES
from tests.support.client_methods import CASES as OTHER_CASES
from tests.support.client_methods import MethodCase
from tests.support.fake_scheduler import fake_scheduler

CASES = [*OTHER_CASES, *MEETING_CASES]


@pytest.mark.parametrize("case", CASES, ids=[each.method for each in CASES])
async def test_a_method_sends_its_request_and_reads_the_reply(
    run_method: MethodCall, case: MethodCase
) -> None:
    async with fake_scheduler(**{case.rpc: case.reply}) as server:
        result = await run_method(server.target, case.method, **case.given)

    assert server.requests == [case.request]
    assert case.shown in repr(result)


def list_methods(kind: type[Any]) -> dict[str, inspect.Signature]:
    members = inspect.getmembers(kind, inspect.isfunction)
    return {name: inspect.signature(each) for name, each in members if not name.startswith("_")}


def test_there_is_a_method_for_each_of_the_contract() -> None:
    called = {each.rpc for each in CASES}

    assert called == set(task_pb2.DESCRIPTOR.services_by_name["Scheduler"].methods_by_name)
    assert {each.method for each in CASES} | {"call", "close", "watch_health"} == set(
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


@pytest.mark.parametrize(
    ("given", "named"),
    [(None, "None"), ({"dry": True}, "{'dry': True}"), (task_pb2.GetJobRequest(), "GetJobRequest")],
    ids=["nothing", "a dict", "of another method"],
)
async def test_call_sends_only_the_message_of_its_method(
    run_method: MethodCall, given: Any, named: str
) -> None:
    async with fake_scheduler(CancelJob=task_pb2.Job()) as server:
        with pytest.raises(TypeError) as caught:
            await run_method(server.target, "call", "CancelJob", given)

        assert str(caught.value) == f"CancelJob takes a CancelJobRequest, not {named}"
        assert server.requests == []
