"""Each method of the contract with each kind of caller. Oracle: the rule in this file.

The scopes of each method are written here again, so that a change of who may do what is seen.
"""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import StringIO
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from gcsched.domain.access import ANYONE, Client
from gcsched.logs import configure
from gcsched.pb import task_pb2
from gcsched.rpc import receiver
from gcsched.rpc.access_gate import ACTS, AccessGate
from gcsched.rpc.caller import current_caller
from gcsched.rpc.server import ServerLimits, serve_grpc
from gcsched.rpc.servicer import SchedulerServicer
from gcsched.usecases.access.access_control import AccessControl
from tests.support.builders import NOW
from tests.support.clients import TestToken, client_toml
from tests.support.handlers import METHOD_NAMES, handlers_of
from tests.support.raw_calls import raw_connection
from tests.support.registry import registry_of
from tests.support.status_details import error_reason, status_of
from tests.support.wait import until

OF_PAGES = {"console", "inbox", "clients"}
"""Acts of the console that no method stands for."""

NEEDED = {
    "ScheduleMeet": {"schedule"},
    "BatchScheduleMeets": {"schedule"},
    "ListTemplates": {"schedule"},
    "PreviewTemplate": {"schedule"},
    "SendTestMail": {"schedule"},
    "GetJob": {"schedule", "read"},
    "ListJobs": {"schedule", "read"},
    "CountJobs": {"schedule", "read"},
    "GetStatus": {"read", "operate"},
    "CancelJob": {"steer"},
    "RescheduleJob": {"steer"},
    "RetryJob": {"steer"},
    "ResolveJob": {"steer"},
    "CancelJobs": {"bulk"},
    "RetryJobs": {"bulk"},
    "RunDailyQueue": {"bulk"},
    "PauseSending": {"operate"},
    "ResumeSending": {"operate"},
    "ListSuppressions": {"operate"},
    "GetSuppression": {"operate"},
    "AddSuppression": {"operate"},
    "RemoveSuppression": {"operate"},
    "GetRecipient": {"content"},
    "ForgetRecipient": {"erase"},
    "CreateMeeting": {"schedule"},
    "AddAttendees": {"schedule"},
    "GetMeeting": {"schedule", "read"},
    "ListMeetings": {"schedule", "read"},
    "GetMeetingCalendar": {"schedule", "read"},
    "UpdateMeeting": {"steer"},
    "CancelMeeting": {"steer"},
    "RemoveAttendees": {"steer"},
    "ListAudit": {"admin"},
}
ALL_SCOPES = ("schedule", "read", "content", "steer", "bulk", "operate", "erase", "admin")
SERVICE = task_pb2.DESCRIPTOR.services_by_name["Scheduler"]
TOKENS = {scope: TestToken(id=f"{scope:0<8}") for scope in ALL_SCOPES}
UNKNOWN = TestToken(id="unknown0")
EXPIRED = TestToken(id="expired0", lines=("expires = 2020-01-01T00:00:00Z",))
REVOKED = TestToken(id="revoked0", lines=("revoked = 2999-01-01T00:00:00Z",))
FORGED = TestToken(id=TOKENS["admin"].id)
NOT_VALID = "the token is unknown, expired or revoked"
Metadata = tuple[tuple[str, str], ...]


def bearer(text: str) -> Metadata:
    return (("authorization", f"Bearer {text}"),)


def mistype(text: str) -> str:
    return text[:20] + ("A" if text[20] != "A" else "B") + text[21:]


UNAUTHENTICATED: dict[str, tuple[Metadata, str]] = {
    "no token": ((), "the call has no token"),
    "another scheme": ((("authorization", f"Basic {TOKENS['admin'].text}"),), "is not `Bearer`"),
    "no scheme": ((("authorization", TOKENS["admin"].text),), "is not `Bearer`"),
    "empty": ((("authorization", ""),), "is not `Bearer`"),
    "malformed": (bearer("gcs_nonsense"), "is not `Bearer`"),
    "too long": (bearer(TOKENS["admin"].text + "0"), "is not `Bearer`"),
    "wrong check": (bearer(mistype(TOKENS["admin"].text)), "check characters do not fit"),
    "unknown": (UNKNOWN.bearer, NOT_VALID),
    "another secret": (FORGED.bearer, NOT_VALID),
    "expired": (EXPIRED.bearer, NOT_VALID),
    "revoked": (REVOKED.bearer, NOT_VALID),
    "two tokens": (TOKENS["admin"].bearer * 2, "more than one `authorization` value"),
    "two different tokens": (TOKENS["admin"].bearer + UNKNOWN.bearer, "more than one"),
}


class Recorder:
    """A handler of every method that records who called."""

    def __init__(self) -> None:
        self.callers: list[tuple[str, Client]] = []

    def __getattr__(self, name: str) -> Any:
        if name not in METHOD_NAMES:
            raise AttributeError(name)

        async def record(_: Message, __: object) -> Any:
            self.callers.append((name, current_caller()))
            return response_of(name)

        return record


def response_of(name: str) -> Any:
    return getattr(task_pb2, SERVICE.methods_by_name[name].output_type.name)()


class Service:
    """A server of all methods with access control, and what has reached it."""

    def __init__(self) -> None:
        self.recorder = Recorder()
        self.parsed: list[str] = []
        self.reported: list[tuple[str, str]] = []
        clients = [client_toml(scope, [scope], TOKENS[scope]) for scope in ALL_SCOPES]
        clients.append(client_toml("former", ALL_SCOPES, EXPIRED, REVOKED))
        self.access = AccessControl(registry=registry_of(*clients), now=lambda: NOW)

    @asynccontextmanager
    async def serve(self, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
        self._watch_parsing(monkeypatch)
        gate = AccessGate(self.access, on_call=self._report)
        async with serve_grpc(
            SchedulerServicer(handlers_of(self.recorder)),
            listen="127.0.0.1:0",
            on_call=self._report,
            limits=ServerLimits(gate=gate),
        ) as server:
            yield f"127.0.0.1:{server.port}"

    def _watch_parsing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Count each request that is read and parsed, whatever its method."""
        parse = receiver.parse_message

        def parse_and_count(parser: Any, raw: bytes) -> Any:
            self.parsed.append(raw.hex())
            return parse(parser, raw)

        monkeypatch.setattr(receiver, "parse_message", parse_and_count)

    def _report(self, method: str, code: str, _: float) -> None:
        self.reported.append((method, code))


@pytest.fixture
async def service() -> Service:
    return Service()


@pytest.fixture
async def channel(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[grpc.aio.Channel]:
    async with service.serve(monkeypatch) as target, grpc.aio.insecure_channel(target) as channel:
        yield channel


async def call(channel: grpc.aio.Channel, name: str, metadata: Metadata) -> tuple[str, str, str]:
    """Return code, reason and sentence of a call of the method *name*."""
    method = channel.unary_unary(f"/scheduler.Scheduler/{name}", bytes, bytes)
    try:
        await method(b"", metadata=metadata)
    except grpc.aio.AioRpcError as error:
        reason, _ = error_reason(status_of(error))
        return error.code().name, reason, error.details() or ""
    return "OK", "", ""


@pytest.mark.parametrize("kind", UNAUTHENTICATED)
async def test_no_method_takes_a_caller_that_is_not_known(
    kind: str, service: Service, channel: grpc.aio.Channel
) -> None:
    metadata, problem = UNAUTHENTICATED[kind]
    for name in METHOD_NAMES:
        for _ in range(2):  # a refusal is not kept, and neither is a handler from before it
            code, reason, sentence = await call(channel, name, metadata)
            assert (code, reason) == ("UNAUTHENTICATED", "UNAUTHENTICATED"), name
            assert problem in sentence

    assert service.parsed == []
    assert service.recorder.callers == []
    await until(lambda: len(service.reported) == 2 * len(METHOD_NAMES))
    assert {code for _, code in service.reported} == {"UNAUTHENTICATED"}


@pytest.mark.parametrize("scope", ALL_SCOPES)
async def test_each_method_takes_the_scopes_that_it_needs_and_no_other(
    scope: str, service: Service, channel: grpc.aio.Channel
) -> None:
    allowed = [name for name in METHOD_NAMES if scope in {*NEEDED[name], "admin"}]
    for name in METHOD_NAMES:
        code, reason, sentence = await call(channel, name, TOKENS[scope].bearer)
        if name in allowed:
            assert code == "OK", name
        else:
            assert (code, reason) == ("PERMISSION_DENIED", "SCOPE_MISSING"), name
            assert all(needed in sentence for needed in NEEDED[name])

    assert [name for name, _ in service.recorder.callers] == allowed
    assert {client.name for _, client in service.recorder.callers} == {scope}
    assert len(service.parsed) <= len(allowed)


def test_each_method_of_the_contract_has_its_scopes() -> None:
    served = {name for name in ACTS.values() if name not in {"reflection", *OF_PAGES}}

    assert set(METHOD_NAMES) <= set(NEEDED)
    assert served == set(NEEDED)


async def test_a_known_caller_gets_in_after_a_refusal_and_is_refused_after_a_success(
    service: Service, channel: grpc.aio.Channel
) -> None:
    right = TOKENS["read"].bearer
    codes = [
        (await call(channel, "GetJob", each))[0] for each in ((), right, UNKNOWN.bearer, right)
    ]

    assert codes == ["UNAUTHENTICATED", "OK", "UNAUTHENTICATED", "OK"]
    assert len(service.recorder.callers) == 2


async def test_a_method_that_does_not_exist_stays_unimplemented(channel: grpc.aio.Channel) -> None:
    for metadata in ((), TOKENS["admin"].bearer):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await channel.unary_unary("/scheduler.Scheduler/Nothing", bytes, bytes)(
                b"", metadata=metadata
            )
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_health_is_open_to_everyone(channel: grpc.aio.Channel) -> None:
    for metadata in ((), UNKNOWN.bearer, TOKENS["admin"].bearer * 2):
        check = channel.unary_unary("/grpc.health.v1.Health/Check", bytes, bytes)
        assert await check(b"", metadata=metadata) == b"\x08\x01"
        watch = channel.unary_stream("/grpc.health.v1.Health/Watch", bytes, bytes)
        stream = watch(b"", metadata=metadata)
        assert await stream.read() == b"\x08\x01"
        stream.cancel()


@pytest.mark.parametrize(
    ("metadata", "code"),
    [
        ((), "UNAUTHENTICATED"),
        (TOKENS["schedule"].bearer, "PERMISSION_DENIED"),
        (TOKENS["read"].bearer, "OK"),
        (TOKENS["admin"].bearer, "OK"),
    ],
)
async def test_reflection_needs_the_scope_read(
    metadata: Metadata, code: str, service: Service, channel: grpc.aio.Channel
) -> None:
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    stream = stub.ServerReflectionInfo(
        iter([reflection_pb2.ServerReflectionRequest(list_services="")]), metadata=metadata
    )
    if code == "OK":
        assert (await stream.read()).list_services_response.service
        return
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stream.read()
    assert caught.value.code().name == code
    assert service.access.refusals.total() == 1


async def test_a_refused_caller_gets_its_answer_before_its_message_has_arrived(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with service.serve(monkeypatch) as target, raw_connection(target) as connection:
        stream = connection.start_call("ScheduleMeet")  # and no message follows

        await until(lambda: stream in connection.ended_streams)

    assert b"grpc-status\x0216" in connection.answers[stream]
    assert service.parsed == []


async def test_a_token_that_is_not_utf_8_is_refused_and_not_logged(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = StringIO()
    configure("json", "INFO", log)
    octets = f"Bearer {TOKENS['admin'].text}".encode() + b"\xff"
    async with service.serve(monkeypatch) as target, raw_connection(target) as connection:
        streams = {connection.start_call("GetJob", (b"authorization", octets)) for _ in range(9)}
        await until(lambda: streams <= connection.ended_streams)

    assert service.access.refusals == {"malformed": 9}
    assert [json.loads(line)["event"] for line in log.getvalue().splitlines()] == ["call refused"]
    assert TOKENS["admin"].secret not in log.getvalue()


def test_without_access_control_the_caller_is_anyone() -> None:
    assert current_caller() is ANYONE
