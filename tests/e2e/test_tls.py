"""A service with TLS on both listeners, and what its operator sees of it."""

import shutil
import ssl
from datetime import datetime
from pathlib import Path

import aiohttp
import grpc
import pytest
import trustme

from gcsched.adapters.tls import watch
from gcsched.pb import task_pb2, task_pb2_grpc
from tests.support.certificates import (
    DAY,
    NOW,
    PairFiles,
    channel_credentials,
    issue,
    write_authority,
    write_pair,
)
from tests.support.command import run_gcsched
from tests.support.in_process_app import RunningApp, make_settings, running_app
from tests.support.probes import HttpProbe
from tests.support.service_process import environment
from tests.support.wait import until

EXPIRY = "gcsched_tls_certificate_expiry_timestamp_seconds"
FAILED = "gcsched_tls_reload_failed"


async def get_status(
    app: RunningApp, credentials: grpc.ChannelCredentials
) -> task_pb2.StatusReport:
    async with grpc.aio.secure_channel(app.target, credentials) as channel:
        stub = task_pb2_grpc.SchedulerStub(channel)
        return await stub.GetStatus(task_pb2.GetStatusRequest(), timeout=5)


def write_web_pair(folder: Path, authority: trustme.CA) -> PairFiles:
    return write_pair(folder, issue(authority, "127.0.0.1", end=NOW + 400 * DAY), name="web")


def write_clients(folder: Path) -> Path:
    """Write a clients file that lets the caller of the test read the status."""
    file = folder / "clients.toml"
    text = '[clients.payroll]\nscopes = ["read"]\nidentities = ["dns:payroll.internal"]\n'
    file.write_text(text, encoding="utf-8")
    return file


def whole(moment: datetime) -> float:
    """Return *moment* as a certificate has it, without fractions of a second."""
    return float(int(moment.timestamp()))


async def reports_failure(probe: HttpProbe) -> bool:
    return (await probe.scrape()).value(FAILED, listener="gRPC") == 1


async def expires(probe: HttpProbe, end: datetime) -> bool:
    scrape = await probe.scrape()
    return scrape.value(EXPIRY, listener="gRPC", certificate="server") == whole(end)


async def test_certificates_are_exchanged_and_their_trouble_is_seen(
    tmp_path: Path, mongo_uri: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "EVERY", watch.EVERY / 100)
    authority = trustme.CA()
    own, web = (
        write_pair(tmp_path, issue(authority, "127.0.0.1")),
        write_web_pair(tmp_path, authority),
    )
    spare = PairFiles(chain=tmp_path / "spare.pem", key=tmp_path / "spare.key")
    spare.write(issue(authority, "127.0.0.1", end=NOW + 500 * DAY))
    settings = make_settings(
        mongo=mongo_uri,
        redis=redis_url,
        relay_port=9,
        **own.settings,
        grpc_client_ca_file=str(write_authority(tmp_path, authority)),
        clients_file=str(write_clients(tmp_path)),
        http_tls_cert_file=str(web.chain),
        http_tls_key_file=str(web.key),
    )
    caller = channel_credentials(authority, issue(authority, "payroll.internal"))
    async with running_app(settings, caller) as app:
        trusting = ssl.create_default_context(cadata=authority.cert_pem.bytes().decode())
        connector = aiohttp.TCPConnector(ssl=trusting)
        base = app.http.replace("http://", "https://")
        async with aiohttp.ClientSession(base, connector=connector) as session:
            probe = HttpProbe(session=session)
            first = await probe.scrape()
            status = await get_status(app, caller)
            assert (status.access.is_encrypted, status.access.problem) == (True, "")

            own.key.write_text("nothing")
            await until(lambda: reports_failure(probe))
            _, readiness = await probe.get_readiness()
            status = await get_status(app, caller)

            shutil.copy(spare.key, own.key)
            shutil.copy(spare.chain, own.chain)
            await until(lambda: expires(probe, NOW + 500 * DAY))
            last = await probe.scrape()
            assert (await get_status(app, caller)).access.problem == ""

    assert first.value(EXPIRY, listener="gRPC", certificate="server") == whole(NOW + 365 * DAY)
    assert first.value(EXPIRY, listener="HTTP", certificate="server") == whole(NOW + 400 * DAY)
    assert first.value(EXPIRY, listener="gRPC", certificate="client_ca") is not None
    assert first.by("listener", FAILED) == last.by("listener", FAILED) == {}
    problem = f"'{own.key}': it contains no private key in PEM format"
    assert readiness["dependencies"]["TLS of gRPC"].startswith(problem)
    assert status.access.problem.startswith(f"TLS of gRPC: {problem}")


async def test_a_certificate_that_cannot_be_used_stops_the_start(tmp_path: Path) -> None:
    files = write_pair(tmp_path, issue(trustme.CA()))
    files.key.write_bytes(issue(trustme.CA()).private_key_pem.bytes())
    settings = environment(
        mongo="mongodb://127.0.0.1:9/x?replicaSet=rs0",
        redis="redis://127.0.0.1:9",
        relay_port=9,
        **files.settings,
    )

    done = await run_gcsched("serve", **settings)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"GCSCHED_GRPC_TLS_CERT_FILE cannot be used: '{files.chain}': it does not belong to the key"
        f" in '{files.key}'; give the files of one pair\n"
    )
