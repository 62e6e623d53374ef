"""TLS on real channels: who is refused, who callers are, and an exchange under calls."""

import asyncio
import ssl
import warnings
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from types import SimpleNamespace

import grpc
import pytest
import trustme
from cryptography import x509

from gcsched.pb import task_pb2, task_pb2_grpc
from gcsched.process.key_pairs import read_authorities, read_key_pair
from gcsched.rpc.call import Context
from gcsched.rpc.caller_certificate import certificate_identities
from gcsched.rpc.server import PortOptions, ServerLimits, build_server_options, serve_grpc
from gcsched.rpc.server_certificate import ServerCertificate
from gcsched.rpc.servicer import SchedulerServicer
from tests.support.certificates import (
    NOW,
    PairFiles,
    channel_credentials,
    issue,
    issue_with,
    write_authority,
    write_pair,
)
from tests.support.connections import open_streams
from tests.support.handlers import handlers_of
from tests.support.service_process import Stub

UNAVAILABLE = grpc.StatusCode.UNAVAILABLE
EXCHANGES = 20
HALF_OPEN = 200
CLIENT_HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64)
OWN_CHANNEL = [("grpc.use_local_subchannel_pool", 1)]
UriName, DnsName = x509.UniformResourceIdentifier, x509.DNSName


async def answer_identities(_: task_pb2.GetJobRequest, context: Context) -> task_pb2.Job:
    """Answer with the identities of the caller."""
    return task_pb2.Job(labels=dict.fromkeys(certificate_identities(context), ""))


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def certificate(tmp_path: Path, authority: trustme.CA) -> ServerCertificate:
    files = write_pair(tmp_path, issue(authority))
    return ServerCertificate(read_key_pair(files.chain, files.key, now=NOW))


@pytest.fixture
def asking_certificate(tmp_path: Path, authority: trustme.CA) -> ServerCertificate:
    files, clients = write_pair(tmp_path, issue(authority)), write_authority(tmp_path, authority)
    pair = read_key_pair(files.chain, files.key, now=NOW)
    return ServerCertificate(pair, read_authorities(clients, now=NOW))


@asynccontextmanager
async def serve(certificate: ServerCertificate) -> AsyncIterator[str]:
    serving = serve_grpc(
        SchedulerServicer(handlers_of(SimpleNamespace(GetJob=answer_identities))),
        listen="127.0.0.1:0",
        on_call=lambda *_: None,
        port=PortOptions(certificate=certificate),
    )
    async with serving as server:
        yield f"localhost:{server.port}"


@asynccontextmanager
async def secure_stub(target: str, credentials: grpc.ChannelCredentials) -> AsyncIterator[Stub]:
    async with grpc.aio.secure_channel(target, credentials, options=OWN_CHANNEL) as channel:
        yield task_pb2_grpc.SchedulerStub(channel)


async def identities_at(target: str, credentials: grpc.ChannelCredentials) -> set[str]:
    async with secure_stub(target, credentials) as stub:
        return set((await stub.GetJob(task_pb2.GetJobRequest(), timeout=5)).labels)


async def failure_at(target: str, credentials: grpc.ChannelCredentials) -> grpc.StatusCode:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await identities_at(target, credentials)
    return caught.value.code()


async def read_certificate(target: str, authority: trustme.CA) -> bytes:
    """Return the certificate that a new connection gets, in DER."""
    context = ssl.create_default_context(cadata=authority.cert_pem.bytes().decode())
    context.set_alpn_protocols(["h2"])
    host, port = target.split(":")
    async with open_streams(int(port), ssl=context, server_hostname=host) as (_, writer):
        own: ssl.SSLObject = writer.get_extra_info("ssl_object")
        return own.getpeercert(binary_form=True) or b""


def der_of(files: PairFiles) -> bytes:
    return ssl.PEM_cert_to_DER_cert(files.chain.read_text().strip())


async def test_calls_need_tls_and_trust_the_authority_and_the_name(
    certificate: ServerCertificate, authority: trustme.CA
) -> None:
    async with serve(certificate) as target:
        assert await identities_at(target, channel_credentials(authority)) == set()
        port = target.partition(":")[2]
        assert await failure_at(target, channel_credentials(trustme.CA())) == UNAVAILABLE
        assert await failure_at(f"127.0.0.1:{port}", channel_credentials(authority)) == UNAVAILABLE
        async with grpc.aio.insecure_channel(target, options=OWN_CHANNEL) as channel:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await task_pb2_grpc.SchedulerStub(channel).GetJob(task_pb2.GetJobRequest())
    assert caught.value.code() == UNAVAILABLE


@pytest.mark.parametrize(
    ("version", "is_accepted"),
    [(ssl.TLSVersion.TLSv1_1, False), (ssl.TLSVersion.TLSv1_2, True)],
)
async def test_old_versions_of_tls_are_refused(
    version: ssl.TLSVersion,
    certificate: ServerCertificate,
    authority: trustme.CA,
    *,
    is_accepted: bool,
) -> None:
    context = ssl.create_default_context(cadata=authority.cert_pem.bytes().decode())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = version
    context.set_ciphers("DEFAULT@SECLEVEL=0")  # else OpenSSL would not even try
    context.set_alpn_protocols(["h2"])

    async with serve(certificate) as target:
        port = int(target.partition(":")[2])
        try:
            async with open_streams(port, ssl=context, server_hostname="localhost"):
                accepted = True
        except OSError:
            accepted = False

    assert accepted == is_accepted


async def test_a_caller_without_a_certificate_of_the_authority_is_refused(
    asking_certificate: ServerCertificate, authority: trustme.CA
) -> None:
    stranger = trustme.CA()
    async with serve(asking_certificate) as target:
        assert await failure_at(target, channel_credentials(authority)) == UNAVAILABLE
        foreign = channel_credentials(authority, issue(stranger, "payroll.internal"))
        assert await failure_at(target, foreign) == UNAVAILABLE
        own = channel_credentials(authority, issue(authority, "payroll.internal"))
        assert await identities_at(target, own) == {"dns:payroll.internal"}


@pytest.mark.parametrize(
    ("names", "common_name", "expected"),
    [
        (
            [DnsName("A.example"), DnsName("b.example")],
            "payroll",
            {"dns:a.example", "dns:b.example", "cn:payroll"},
        ),
        ([UriName("spiffe://prod/payroll")], "", {"spiffe://prod/payroll"}),
        (
            [UriName("https://example.org/a"), x509.RFC822Name("dns@example.org")],
            "",
            {"https://example.org/a"},
        ),
        # Such a certificate has no SPIFFE id: one with two URIs has none (SPIFFE's X.509-SVID).
        (
            [UriName("spiffe://prod/a"), UriName("https://example.org/a")],
            "",
            {"https://example.org/a"},
        ),
        # Names of one kind that look like names of another.
        ([UriName("dns:a.example"), UriName("CN:payroll"), UriName("cn:payroll")], "", set()),
        ([x509.RFC822Name("a@b.example")], "dns:a.example", {"cn:dns:a.example"}),
    ],
)
async def test_the_identities_of_a_caller_are_those_of_its_certificate_by_kind(
    names: list[x509.GeneralName],
    common_name: str,
    expected: set[str],
    asking_certificate: ServerCertificate,
    authority: trustme.CA,
) -> None:
    async with serve(asking_certificate) as target:
        found = await identities_at(target, issue_with(authority, names, common_name))

    assert found == expected


async def test_certificates_are_exchanged_under_calls_without_a_failed_one(
    tmp_path: Path, certificate: ServerCertificate, authority: trustme.CA
) -> None:
    credentials = channel_credentials(authority)
    files = [write_pair(tmp_path, issue(authority), name=f"pair{n}") for n in range(EXCHANGES)]
    is_over, served = asyncio.Event(), 0

    async def call_on_one_connection(target: str) -> None:
        nonlocal served
        async with secure_stub(target, credentials) as stub:
            while not is_over.is_set():
                await stub.GetJob(task_pb2.GetJobRequest(), timeout=5)
                served += 1

    async with serve(certificate) as target, asyncio.TaskGroup() as tasks:
        for _ in range(5):
            tasks.create_task(call_on_one_connection(target))
        for each in files:
            certificate.exchange(read_key_pair(each.chain, each.key, now=NOW))
            assert await read_certificate(target, authority) == der_of(each)
            await identities_at(target, credentials)
        is_over.set()

    assert served > EXCHANGES


async def test_the_authorities_of_callers_are_exchanged_too(
    tmp_path: Path, asking_certificate: ServerCertificate, authority: trustme.CA
) -> None:
    following = trustme.CA()
    files = write_pair(tmp_path, issue(authority), name="next")
    clients = write_authority(tmp_path, following, name="next_ca.pem")
    old = channel_credentials(authority, issue(authority, "old.internal"))
    new = channel_credentials(authority, issue(following, "new.internal"))

    async with serve(asking_certificate) as target, secure_stub(target, old) as stub:
        await stub.GetJob(task_pb2.GetJobRequest(), timeout=5)
        asking_certificate.exchange(
            read_key_pair(files.chain, files.key, now=NOW), read_authorities(clients, now=NOW)
        )
        assert await identities_at(target, new) == {"dns:new.internal"}
        assert await failure_at(target, old) == UNAVAILABLE
        found = (await stub.GetJob(task_pb2.GetJobRequest(), timeout=5)).labels

    assert set(found) == {"dns:old.internal"}, "an open connection stays, until it is an hour old"


def test_connections_end_in_time_where_certificates_say_who_calls(
    certificate: ServerCertificate, asking_certificate: ServerCertificate
) -> None:
    def longest(port: PortOptions) -> int | None:
        return dict(build_server_options(ServerLimits(), port)).get("grpc.max_connection_age_ms")

    assert longest(PortOptions(certificate=asking_certificate)) == 3_600_000
    assert longest(PortOptions(certificate=certificate)) is None
    assert longest(PortOptions()) is None


async def test_half_open_handshakes_leave_other_callers_served(
    certificate: ServerCertificate, authority: trustme.CA
) -> None:
    credentials = channel_credentials(authority)
    async with serve(certificate) as target, AsyncExitStack() as stack:
        port = int(target.partition(":")[2])
        for number in range(HALF_OPEN):
            _, writer = await stack.enter_async_context(open_streams(port))
            writer.write(CLIENT_HELLO[: number % len(CLIENT_HELLO)])
        async with asyncio.timeout(5):
            assert await identities_at(target, credentials) == set()
