"""TLS of the client: its files, and a new channel when they change."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
import trustme

from gcsched.client import AsyncClient, CallFailed, Client, Tls
from gcsched.pb import task_pb2
from tests.support.certificates import PairFiles, chain_of, issue, write_authority, write_pair
from tests.support.fake_scheduler import ACCEPTED, FakeScheduler, fake_scheduler

SOON = 0.5  # seconds: a call that fails is repeated until then
REQUEST = task_pb2.MeetRequest(empid="E1815")


@asynccontextmanager
async def secure_scheduler(
    authority: trustme.CA, clients: trustme.CA | None = None, *names: str
) -> AsyncIterator[FakeScheduler]:
    own = issue(authority, *(names or ("127.0.0.1",)))
    roots = None if clients is None else clients.cert_pem.bytes()
    credentials = grpc.ssl_server_credentials(
        [(own.private_key_pem.bytes(), chain_of(own))], roots, clients is not None
    )
    async with fake_scheduler(credentials, ScheduleMeet=ACCEPTED) as server:
        yield server


async def is_accepted(client: AsyncClient) -> bool:
    try:
        return bool((await client.call("ScheduleMeet", REQUEST)).success)
    except CallFailed:
        return False


async def test_both_clients_call_with_the_files_of_tls(tmp_path: Path) -> None:
    authority = trustme.CA()
    own = write_pair(tmp_path, issue(authority, "payroll.internal"), name="own")
    tls = Tls(ca_file=write_authority(tmp_path, authority), cert_file=own.chain, key_file=own.key)
    async with secure_scheduler(authority, authority) as server:
        with Client(server.target, credentials=tls) as plain:
            reply = await asyncio.to_thread(plain.call, "ScheduleMeet", REQUEST)
        async with AsyncClient(server.target, credentials=tls) as client:
            assert await is_accepted(client)

    assert reply == ACCEPTED


async def test_the_files_of_tls_may_come_from_the_environment(tmp_path: Path) -> None:
    authority = trustme.CA()
    own = write_pair(tmp_path, issue(authority, "payroll.internal"), name="own")
    named = {
        "GCSCHED_TLS_CA_FILE": str(write_authority(tmp_path, authority)),
        "GCSCHED_TLS_CERT_FILE": str(own.chain),
        "GCSCHED_TLS_KEY_FILE": str(own.key),
    }
    async with secure_scheduler(authority, authority) as server:
        async with AsyncClient(server.target, environment=named) as client:
            assert await is_accepted(client)
        async with AsyncClient(server.target, environment={"GCSCHED_TLS": "1"}, timeout=SOON) as it:
            assert not await is_accepted(it)


async def test_a_server_with_another_name_is_called_by_the_name_in_its_certificate(
    tmp_path: Path,
) -> None:
    authority = trustme.CA()
    ca_file = write_authority(tmp_path, authority)
    async with secure_scheduler(authority, None, "gcsched.prod.svc") as server:
        async with AsyncClient(
            server.target, credentials=Tls(ca_file=ca_file), timeout=SOON
        ) as client:
            assert not await is_accepted(client)
        named = Tls(ca_file=ca_file, server_name="gcsched.prod.svc")
        async with AsyncClient(server.target, credentials=named) as client:
            assert await is_accepted(client)


async def test_the_authorities_of_the_system_are_not_those_of_a_test() -> None:
    async with (
        secure_scheduler(trustme.CA()) as server,
        AsyncClient(server.target, credentials=Tls(), timeout=SOON) as client,
    ):
        assert not await is_accepted(client)


async def test_a_client_goes_on_with_a_renewed_certificate(tmp_path: Path) -> None:
    authority, before, after = trustme.CA(), trustme.CA(), trustme.CA()
    own = write_pair(tmp_path, issue(before, "payroll.internal"), name="own")
    tls = Tls(ca_file=write_authority(tmp_path, authority), cert_file=own.chain, key_file=own.key)
    async with secure_scheduler(authority, after) as server:
        async with AsyncClient(server.target, credentials=tls, timeout=SOON) as client:
            refused = await is_accepted(client)
            renewed = issue(after, "payroll.internal")
            own.chain.write_bytes(
                chain_of(renewed)
            )  # the key follows: the pair is broken until then
            between = await is_accepted(client)
            own.write(renewed)
            accepted = await is_accepted(client)
        with Client(server.target, credentials=tls, timeout=SOON) as plain:
            await asyncio.to_thread(plain.call, "ScheduleMeet", REQUEST)
            PairFiles(chain=own.chain, key=own.key).write(issue(before, "payroll.internal"))
            with pytest.raises(CallFailed):
                await asyncio.to_thread(plain.call, "ScheduleMeet", REQUEST)

    assert (refused, between, accepted) == (False, False, True)


async def test_calls_under_way_outlive_an_exchange(tmp_path: Path) -> None:
    authority = trustme.CA()
    own = write_pair(tmp_path, issue(authority, "payroll.internal"), name="own")
    tls = Tls(ca_file=write_authority(tmp_path, authority), cert_file=own.chain, key_file=own.key)
    async with (
        secure_scheduler(authority, authority) as server,
        AsyncClient(server.target, credentials=tls) as client,
    ):
        calls = []
        for number in range(60):
            calls.append(asyncio.create_task(is_accepted(client)))
            if number % 20 == 10:
                await asyncio.sleep(0)
                own.write(issue(authority, "payroll.internal"))
        answers = await asyncio.gather(*calls)

    assert answers == [True] * 60


def test_files_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    files = write_pair(tmp_path, issue(trustme.CA()))
    ca_file = tmp_path / "none.pem"

    with pytest.raises(ValueError, match=r"none\.pem': file not found"):
        Client("127.0.0.1:1", credentials=Tls(ca_file=ca_file))
    files.key.write_bytes(issue(trustme.CA()).private_key_pem.bytes())
    with pytest.raises(ValueError, match="it does not belong to the key in"):
        Client("127.0.0.1:1", credentials=Tls(cert_file=files.chain, key_file=files.key))
    with pytest.raises(ValueError, match="cert_file and key_file belong together"):
        Tls(cert_file=files.chain)
