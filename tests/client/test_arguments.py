"""A mistake in a call of the client is reported before anything is sent."""

import asyncio
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest

from gcsched.client import AsyncClient, CallFailed, Client, InvalidArgument
from gcsched.client.calls.scheduling import build_request
from gcsched.pb import task_pb2

REQUEST: dict[str, Any] = {"empid": "E1", "email": "ada@example.org", "message": "Hi", "at": None}
NOWHERE = "127.0.0.1:9"

Schedule = Callable[..., object]


def schedule_blocking(**options: Any) -> object:
    with Client(NOWHERE) as client:
        return client.schedule_meet(**options)


def schedule_async(**options: Any) -> object:
    async def schedule() -> object:
        async with AsyncClient(NOWHERE) as client:
            return await client.schedule_meet(**options)

    return asyncio.run(schedule())


def build_message(**options: Any) -> object:
    return build_request("E1", "ada@example.org", "Hi", "", None, **options)


@pytest.mark.parametrize("schedule", [schedule_blocking, schedule_async])
@pytest.mark.parametrize(
    ("misspelt", "meant"),
    [
        ("requestid", "request_id"),
        ("not_afer", "not_after"),
        ("templates", "template"),
        ("variable", "variables"),
        ("replyto", "reply_to"),
        ("label", "labels"),
        ("Urgent", "urgent"),
    ],
)
def test_a_misspelt_option_is_refused_with_a_suggestion(
    schedule: Schedule, misspelt: str, meant: str
) -> None:
    with pytest.raises(TypeError, match=rf"{misspelt!r} \(did you mean {meant!r}\?\)"):
        schedule(**REQUEST, **{misspelt: "x"})


def test_all_misspelt_options_are_named_at_once_with_the_valid_ones() -> None:
    with pytest.raises(TypeError) as caught:
        build_message(requestid="1", colour="red", urgent=True)

    assert str(caught.value) == (
        "schedule_meet() got unexpected keyword arguments 'requestid' (did you mean 'request_id'?),"
        " 'colour'; it takes event, labels, not_after, reply_to, request_id, sender, template,"
        " urgent, variables"
    )


@pytest.mark.parametrize("kind", [CallFailed, InvalidArgument])
def test_an_error_accepts_only_its_known_details(kind: type[CallFailed]) -> None:
    details: dict[str, Any] = {"resaon": "OVERLOADED"}

    with pytest.raises(TypeError, match=r"'resaon' \(did you mean 'reason'\?\)"):
        kind("no", **details)


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_a_client_refuses_unknown_options(kind: Callable[..., object]) -> None:
    with pytest.raises(TypeError, match="timout"):
        kind(NOWHERE, timout=3)


@pytest.mark.parametrize("option", ["at", "not_after"])
@pytest.mark.parametrize("given", [1767603600.5, "2026-01-05", date(2026, 1, 5), True, False])
def test_a_time_of_another_type_is_refused_with_the_valid_types(option: str, given: object) -> None:
    options: dict[str, Any] = {**REQUEST, option: given}

    with pytest.raises(TypeError) as caught:
        schedule_blocking(**options)

    assert str(caught.value) == (
        f"{option} is {given!r}; give an aware datetime, whole Unix seconds or None"
    )


@pytest.mark.parametrize("schedule", [schedule_blocking, schedule_async])
@pytest.mark.parametrize(
    ("option", "given", "expected"),
    [
        *(
            (name, 7, f"{name} is 7; give a str")
            for name in (
                *("empid", "email", "message", "name", "request_id", "template", "reply_to"),
                "sender",
            )
        ),
        ("urgent", "no", "urgent is 'no'; give True or False"),
        ("urgent", [], "urgent is []; give True or False"),
        ("variables", {"a": 1}, "variables['a'] is 1; give a str"),
        ("variables", {"a": None}, "variables['a'] is None; give a str"),
        ("labels", {"a": True}, "labels['a'] is True; give a str"),
        ("labels", {1: "a"}, "a key of labels is 1; give a str"),
        ("labels", "ab", "labels is 'ab'; give a dict of str to str"),
        ("variables", [("a", "b")], "variables is [('a', 'b')]; give a dict of str to str"),
    ],
)
def test_a_value_of_another_type_is_named_with_its_option(
    schedule: Schedule, option: str, given: object, expected: str
) -> None:
    options: dict[str, Any] = {**REQUEST, option: given}

    with pytest.raises(TypeError) as caught:
        schedule(**options)

    assert str(caught.value) == expected


@pytest.mark.parametrize(
    ("option", "given", "expected"),
    [
        ("at", 2**63, f"at is {2**63}; give Unix seconds below 2**63"),
        ("not_after", -(2**64), f"not_after is {-(2**64)}; give Unix seconds below 2**63"),
    ],
)
def test_a_value_outside_the_wires_range_is_named_with_its_option(
    option: str, given: object, expected: str
) -> None:
    options: dict[str, Any] = {**REQUEST, option: given}

    with pytest.raises(ValueError, match=f"^{option} is") as caught:
        schedule_blocking(**options)

    assert str(caught.value) == expected


@pytest.mark.parametrize("given", ["Ad\ud800", b"Ad\xff"])
def test_a_text_that_is_not_utf_8_is_named_with_its_option(given: object) -> None:
    options: dict[str, Any] = {**REQUEST, "name": given}

    with pytest.raises(ValueError, match=r"^name is b?'Ad.*give text that UTF-8 can encode: .* 2"):
        schedule_blocking(**options)


def test_none_means_an_omitted_option() -> None:
    options = (
        *("request_id", "template", "variables", "not_after", "reply_to", "sender", "labels"),
        "urgent",
    )

    assert build_message(**dict.fromkeys(options)) == build_message()


@pytest.mark.parametrize("option", ["at", "not_after"])
def test_a_time_without_a_zone_is_named(option: str) -> None:
    naive = datetime(2026, 1, 5, 9, tzinfo=UTC).replace(tzinfo=None)
    options: dict[str, Any] = {**REQUEST, option: naive}

    with pytest.raises(ValueError, match=f"^{option} has no time zone"):
        schedule_blocking(**options)


@pytest.mark.parametrize("method", ["GetJbo", "getjob", "__init__"])
def test_an_unknown_method_is_named(method: str) -> None:
    with Client(NOWHERE) as client, pytest.raises(AttributeError, match="has no method") as caught:
        client.call(method, task_pb2.GetJobRequest(job_id="7"))

    assert repr(method) in str(caught.value)
    assert "(did you mean 'GetJob'?)" in str(caught.value) or method == "__init__"
