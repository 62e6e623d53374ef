"""Access control of the whole service: a file that changes and breaks while calls arrive."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from gcsched import app as application
from gcsched.errors import SettingsProblems
from gcsched.pb import task_pb2, task_pb2_grpc
from tests.support.clients import TestToken, client_toml, write_clients
from tests.support.command import run_gcsched
from tests.support.in_process_app import RunningApp, make_settings
from tests.support.log_events import Events, find_events
from tests.support.ports import free_port
from tests.support.probes import HttpProbe, probe_http
from tests.support.service_process import a_meet, environment
from tests.support.wait import until

MAX_REVOKE_SECONDS = 3.0
PAYROLL, NEXT, OPS = (TestToken(id=each) for each in ("payroll0", "payroll1", "ops00000"))
OPS_TOML = client_toml("ops", ["admin"], OPS)
CLIENTS = (client_toml("payroll", ["schedule"], PAYROLL), OPS_TOML)


@pytest.fixture
def clients_file(tmp_path: Path) -> Path:
    return write_clients(tmp_path / "clients.toml", *CLIENTS)


@pytest.fixture
def app_settings(clients_file: Path) -> dict[str, str]:
    return {"clients_file": str(clients_file)}


@pytest.fixture
async def channel(app: RunningApp) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(app.target) as channel:
        yield channel


@pytest.fixture
async def probe(app: RunningApp) -> AsyncIterator[HttpProbe]:
    async with probe_http(app.http) as probe:
        yield probe


async def schedule(channel: grpc.aio.Channel, token: TestToken, number: int = 1) -> str:
    stub: Any = task_pb2_grpc.SchedulerStub(channel)
    try:
        await stub.ScheduleMeet(a_meet(number), metadata=token.bearer)
    except grpc.aio.AioRpcError as error:
        return error.code().name
    return "OK"


async def read_access(channel: grpc.aio.Channel) -> task_pb2.StatusReport.Access:
    stub: Any = task_pb2_grpc.SchedulerStub(channel)
    report = await stub.GetStatus(task_pb2.GetStatusRequest(), metadata=OPS.bearer)
    access: task_pb2.StatusReport.Access = report.access
    return access


async def test_a_revoked_token_fails_within_three_seconds_on_an_open_connection(
    channel: grpc.aio.Channel, clients_file: Path
) -> None:
    assert await schedule(channel, PAYROLL) == "OK"
    assert await schedule(channel, NEXT) == "UNAUTHENTICATED"
    revoked = TestToken(
        id=PAYROLL.id, secret=PAYROLL.secret, lines=("revoked = 2026-01-01T00:00:00Z",)
    )

    write_clients(clients_file, client_toml("payroll", ["schedule"], revoked, NEXT), OPS_TOML)
    start = time.monotonic()
    async with asyncio.timeout(10):
        while await schedule(channel, PAYROLL) == "OK":
            pass

    assert time.monotonic() - start < MAX_REVOKE_SECONDS
    assert await schedule(channel, NEXT, 2) == "OK"


async def test_a_broken_file_changes_nothing_and_is_seen_everywhere(
    probe: HttpProbe, channel: grpc.aio.Channel, clients_file: Path, events: Events
) -> None:
    assert await schedule(channel, PAYROLL) == "OK"
    before = await read_access(channel)

    write_clients(clients_file, "[clients.payroll]\nscopes = ['all']\n")
    await until(lambda: has_problem(probe))

    problem = f'{clients_file}, line 2: scopes has "all", which is not a scope'
    status, body = await probe.get_readiness()
    assert (status, body["status"]) == (200, "degraded")
    assert body["dependencies"]["clients file"].startswith(problem)
    assert await schedule(channel, PAYROLL, 2) == "OK"
    metrics = await probe.scrape()
    assert metrics.value("gcsched_clients_file_ok") == 0
    assert metrics.value("gcsched_clients") == 2
    broken = await read_access(channel)
    assert broken.problem.startswith(problem)
    assert (broken.is_controlled, broken.clients) == (True, 2)
    assert (before.is_controlled, before.clients, before.problem) == (True, 2, "")
    assert not before.is_insecure

    write_clients(clients_file, *CLIENTS, client_toml("third", ["read"]))
    await until(lambda: find_events(events, "clients file read"))
    assert not await has_problem(probe)
    assert (await read_access(channel)).clients == 3
    assert [each["event"] for each in events if each["event"].startswith("clients file")] == [
        "clients file unusable",
        "clients file usable again",
        "clients file read",
    ]


async def has_problem(probe: HttpProbe) -> bool:
    _, body = await probe.get_readiness()
    return bool(body["dependencies"]["clients file"] != "ok")


async def test_refused_calls_are_counted_and_logged_without_the_token(
    probe: HttpProbe, channel: grpc.aio.Channel, events: Events
) -> None:
    forged = TestToken(id=PAYROLL.id)
    codes = [await schedule(channel, each) for each in (forged, forged, OPS, NEXT)]

    assert codes == ["UNAUTHENTICATED", "UNAUTHENTICATED", "OK", "UNAUTHENTICATED"]
    metrics = await probe.scrape()
    assert metrics.by("reason", "gcsched_calls_refused_total") == {"unknown": 3}
    refused = find_events(events, "call refused")
    assert [(each["reason"], each["token"]) for each in refused] == [
        ("unknown", PAYROLL.id),
        ("unknown", NEXT.id),
    ]
    assert refused[0]["peer"].startswith("ipv4:127.0.0.1:")
    assert not any(forged.secret in str(each) for each in events)


async def test_serve_ends_with_exit_code_2_and_the_line(tmp_path: Path) -> None:
    file = write_clients(tmp_path / "clients.toml", "[clients.a]\nscopes = []\n")
    settings = environment(
        mongo="mongodb://127.0.0.1:9/x",
        redis="redis://127.0.0.1:9/0",
        relay_port=9,
        http_listen="127.0.0.1:0",
        grpc_listen=f"127.0.0.1:{free_port()}",
        clients_file=str(file),
    )

    done = await run_gcsched("serve", **settings)

    assert done.returncode == 2
    assert f"GCSCHED_CLIENTS_FILE cannot be used: {file}, line 2: scopes is empty" in done.stderr


async def test_a_broken_file_stops_the_start(
    mongo_uri: str, redis_url: str, tmp_path: Path
) -> None:
    file = write_clients(tmp_path / "clients.toml", "[clients.a]\nscopes = []\nkey = 1")
    settings = make_settings(mongo=mongo_uri, redis=redis_url, relay_port=9, clients_file=str(file))

    with pytest.raises(SettingsProblems) as caught:
        async with application.open_resources(settings):
            pass

    assert [each.partition(": ")[0] for each in caught.value.sentences] == [
        "GCSCHED_CLIENTS_FILE cannot be used"
    ] * 2
    assert f"{file}, line 2: scopes is empty" in caught.value.sentences[0]
    assert f'{file}, line 3: unknown key "key"' in caught.value.sentences[1]
