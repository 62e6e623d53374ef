"""Callers with client certificates are checked in the handler, still before the message is read."""

from collections.abc import AsyncIterator, Sequence
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from gcsched.pb import task_pb2
from gcsched.rpc import access_gate
from gcsched.rpc.access_gate import AccessGate
from gcsched.rpc.caller import current_caller
from gcsched.rpc.caller_certificate import read_identities
from gcsched.rpc.server import ServerLimits, serve_grpc
from gcsched.rpc.servicer import SchedulerServicer
from gcsched.usecases.access.access_control import AccessControl
from tests.support.builders import NOW
from tests.support.clients import TestToken, client_toml
from tests.support.handlers import handlers_of
from tests.support.raw_calls import raw_connection
from tests.support.registry import registry_of
from tests.support.wait import until

PAYROLL, OPS = TestToken(id="payroll0"), TestToken(id="ops00000")
CLIENTS = (
    client_toml("payroll", ["schedule"], PAYROLL, lines=['identities = ["dns:payroll"]']),
    client_toml("ops", ["read"], OPS, lines=['identities = ["dns:ops"]']),
)
Metadata = tuple[tuple[str, str], ...]


class Server:
    """A server whose callers have the certificate that a test names."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.identities: tuple[str, ...] = ()
        self.callers: list[str] = []
        self.reported: list[tuple[str, str]] = []
        self.target = ""
        access = AccessControl(registry=registry_of(*CLIENTS), now=lambda: NOW)
        self.gate = AccessGate(access, on_call=self._report, has_certificates=True)
        # Real certificates are tried with TLS; here only what is done with what gRPC says of them.
        monkeypatch.setattr(access_gate, "certificate_identities", lambda _: self.identities)

    async def list_templates(self, *_: object) -> Any:
        self.callers.append(current_caller().name)
        return task_pb2.ListTemplatesResponse()

    def _report(self, method: str, code: str, _: float) -> None:
        self.reported.append((method, code))

    async def run(self) -> AsyncIterator["Server"]:
        serving = serve_grpc(
            SchedulerServicer(handlers_of(SimpleNamespace(ListTemplates=self.list_templates))),
            listen="127.0.0.1:0",
            on_call=self._report,
            limits=ServerLimits(gate=self.gate),
        )
        async with serving as server:
            self.target = f"127.0.0.1:{server.port}"
            yield self

    async def call(self, metadata: Metadata = ()) -> str:
        async with grpc.aio.insecure_channel(self.target) as channel:
            method = channel.unary_unary("/scheduler.Scheduler/ListTemplates", bytes, bytes)
            try:
                await method(b"", metadata=metadata)
            except grpc.aio.AioRpcError as error:
                return error.code().name
            return "OK"


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Server]:
    async for each in Server(monkeypatch).run():
        yield each


@pytest.mark.parametrize(
    ("identities", "metadata", "code"),
    [
        (("dns:payroll",), (), "OK"),
        (("dns:payroll",), PAYROLL.bearer, "OK"),
        (("dns:ops",), (), "PERMISSION_DENIED"),
        (("dns:ops",), PAYROLL.bearer, "UNAUTHENTICATED"),
        (("dns:payroll",), OPS.bearer, "UNAUTHENTICATED"),
        (("dns:payroll",), PAYROLL.bearer * 2, "UNAUTHENTICATED"),
        (("dns:stranger",), (), "UNAUTHENTICATED"),
        ((), PAYROLL.bearer, "UNAUTHENTICATED"),
    ],
)
async def test_the_certificate_decides_and_a_token_must_agree(
    server: Server, identities: tuple[str, ...], metadata: Metadata, code: str
) -> None:
    server.identities = identities

    assert [await server.call(metadata), await server.call(metadata)] == [code, code]

    assert server.callers == (["payroll"] * 2 if code == "OK" else [])
    await until(lambda: len(server.reported) == 2)
    assert server.reported == [("scheduler.Scheduler/ListTemplates", code)] * 2


async def test_a_refused_certificate_is_answered_before_a_message_has_arrived(
    server: Server,
) -> None:
    async with raw_connection(server.target) as connection:
        stream = connection.start_call("ListTemplates")

        await until(lambda: stream in connection.ended_streams)

    assert b"grpc-status\x0216" in connection.answers[stream]


@pytest.mark.parametrize(
    ("identity", "code"), [("dns:ops", "OK"), ("dns:payroll", "PERMISSION_DENIED")]
)
async def test_streams_are_checked_as_well(server: Server, identity: str, code: str) -> None:
    server.identities = (identity,)
    async with grpc.aio.insecure_channel(server.target) as channel:
        stream = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(
            iter([reflection_pb2.ServerReflectionRequest(list_services="")])
        )
        if code == "OK":
            assert (await stream.read()).list_services_response.service
        else:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await stream.read()
            assert caught.value.code().name == code


async def test_health_asks_for_no_certificate(server: Server) -> None:
    async with grpc.aio.insecure_channel(server.target) as channel:
        check = channel.unary_unary("/grpc.health.v1.Health/Check", bytes, bytes)
        assert await check(b"") == b"\x08\x01"


@pytest.mark.parametrize(
    ("properties", "identities"),
    [
        ({}, []),
        ({"x509_common_name": [b"payroll"]}, ["cn:payroll"]),
        ({"peer_dns": [b"A.Internal", b"b"]}, ["dns:a.internal", "dns:b"]),
        ({"peer_spiffe_id": [b"spiffe://p/x"], "peer_uri": [b"spiffe://p/x"]}, ["spiffe://p/x"]),
        ({"peer_uri": [b"https://a/b"]}, ["https://a/b"]),
        # Two URIs: SPIFFE allows one, so gRPC names no SPIFFE id, and neither counts.
        ({"peer_uri": [b"spiffe://p/x", b"SPIFFE://p/y"]}, []),
        ({"x509_common_name": [b"\xff"]}, ["cn:\\xff"]),
        ({"peer_ip": [b"192.0.2.1"], "peer_email": [b"a@b"], "x509_pem_cert": [b"-"]}, []),
    ],
)
def test_identities_are_read_from_the_typed_properties_only(
    properties: dict[str, Sequence[bytes]], identities: list[str]
) -> None:
    assert list(read_identities(properties)) == identities
