"""The program as operators run it: start, refused settings, stop, and stores that are away."""

import asyncio
import os
import signal
import ssl
import subprocess
import sys
import time
from pathlib import Path

import grpc
import pytest
import trustme
from grpc_health.v1 import health_pb2, health_pb2_grpc

from gcsched.dev.stores.mongod import MongodOptions, Tls
from gcsched.dev.stores.replica_set import Login
from gcsched.dev.stores.valkey import ValkeyOptions
from tests.support.ports import free_port
from tests.support.proxy import a_proxy
from tests.support.relay.server import At, Hang, Relay
from tests.support.service_process import (
    ServiceProcess,
    a_meet,
    environment,
    running_service,
    scheduler_stub,
)
from tests.support.stores import own_mongod, own_valkey
from tests.support.wait import until


def test_without_settings_it_names_all_that_is_missing_and_exits_2() -> None:
    bare = {"PATH": os.environ["PATH"]}

    done = subprocess.run(
        [sys.executable, "-m", "gcsched", "serve"],
        env=bare,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    for name in ("MONGO_URI", "REDIS_URL", "SMTP_HOST", "SENDER_EMAIL"):
        assert f"GCSCHED_{name} is missing" in done.stderr
    assert "gcsched dev" in done.stderr


async def test_a_port_in_use_is_reported_and_ends_it(
    tmp_path: Path, mongo_uri: str, redis_url: str
) -> None:
    settings = environment(mongo=mongo_uri, redis=redis_url, relay_port=9)
    async with running_service(tmp_path, settings) as first:
        second = ServiceProcess(
            environment=settings, log_file=tmp_path / "second.log", port=first.port
        )

        second.launch()
        code = await second.wait_for_exit()

        assert code == 1
        assert f"cannot listen on 127.0.0.1:{first.port}" in second.log
        assert "GCSCHED_GRPC_LISTEN" in second.log


@pytest.mark.executed
async def test_it_waits_for_mongodb_and_logs_that(tmp_path: Path, redis_url: str) -> None:
    async with own_mongod(tmp_path) as mongod:
        mongod.kill()
        settings = environment(mongo=mongod.uri, redis=redis_url, relay_port=9)
        running = ServiceProcess(
            environment=settings, log_file=tmp_path / "service.log", port=free_port()
        )
        try:
            running.launch()
            await until(lambda: "waiting for MongoDB" in running.log, within=30)
            await mongod.start()
            await running.wait_ready()
            code = await running.stop()
        finally:
            await running.kill_if_running()

    assert code == 0


async def test_it_starts_and_delivers_while_redis_is_away(tmp_path: Path, mongo_uri: str) -> None:
    async with Relay() as relay:
        away = f"redis://127.0.0.1:{free_port()}/0"
        settings = environment(mongo=mongo_uri, redis=away, relay_port=relay.port)
        async with (
            running_service(tmp_path, settings) as running,
            scheduler_stub(running.target) as stub,
        ):
            due = int(time.time()) + 2

            now = await stub.ScheduleMeet(a_meet(1), timeout=2)
            soon = await stub.ScheduleMeet(a_meet(2, timestamp=due), timeout=2)

            await until(lambda: len(relay.ledger) == 2)
            assert now.success
            assert soon.success
            assert relay.per_recipient[f"2-{due}@bench.test"][0].time - due < 1


async def test_stores_with_passwords_are_used(tmp_path: Path) -> None:
    login = MongodOptions(login=Login(username="scheduler", password="p@ss word"))
    async with (
        Relay() as relay,
        own_mongod(tmp_path, login) as mongod,
        own_valkey(tmp_path, ValkeyOptions(password="hunter2")) as valkey,
    ):
        settings = environment(mongo=mongod.uri, redis=valkey.uri, relay_port=relay.port)
        async with (
            running_service(tmp_path, settings) as running,
            scheduler_stub(running.target) as stub,
        ):
            due = int(time.time()) + 2

            await stub.ScheduleMeet(a_meet(1, timestamp=due))

            await until(lambda: relay.ledger)
            assert "arq worker ended" not in running.log
            assert "hunter2" not in running.log


async def test_stores_with_tls_are_used_and_their_certificates_checked(tmp_path: Path) -> None:
    authority, ca_file = trustme.CA(), tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    certificate, pem = authority.issue_cert("127.0.0.1"), tmp_path / "server.pem"
    certificate.private_key_and_cert_chain_pem.write_to_path(str(pem))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(tls)
    secured = MongodOptions(tls=Tls(certificate=pem, authority=ca_file))
    async with (
        Relay() as relay,
        own_mongod(tmp_path, secured) as mongod,
        own_valkey(tmp_path) as valkey,
        a_proxy(valkey.port, tls=tls) as proxy,
    ):
        trusted = f"rediss://127.0.0.1:{proxy.port}/0?ssl_ca_certs={ca_file}"
        settings = environment(mongo=mongod.uri, redis=trusted, relay_port=relay.port)
        async with (
            running_service(tmp_path, settings) as running,
            scheduler_stub(running.target) as stub,
        ):
            await stub.ScheduleMeet(a_meet(1, timestamp=int(time.time()) + 2))
            await until(lambda: relay.ledger)
            assert "wake-up failed, retrying" not in running.log

        untrusted = f"rediss://127.0.0.1:{proxy.port}/0"
        settings = environment(mongo=mongod.uri, redis=untrusted, relay_port=relay.port)
        async with running_service(tmp_path, settings, name="untrusting") as running:
            await until(lambda: "arq worker ended" in running.log)


async def test_a_template_with_an_unknown_variable_prevents_the_start(
    tmp_path: Path, mongo_uri: str, redis_url: str
) -> None:
    templates = tmp_path / "templates"
    templates.mkdir()
    (templates / "doc.html").write_text("<p>Hello</p>\n<p>{{ usernam }}</p>\n")
    settings = environment(
        mongo=mongo_uri, redis=redis_url, relay_port=9, templates_dir=str(templates)
    )
    process = ServiceProcess(
        environment=settings, log_file=tmp_path / "service.log", port=free_port()
    )

    process.launch()
    code = await process.wait_for_exit()

    assert code == 1
    assert "doc.html, line 2" in process.log
    assert "usernam" in process.log


async def test_a_malformed_connection_string_is_reported_without_its_password(
    tmp_path: Path, redis_url: str
) -> None:
    uri = "mongodb://user:p@ss@127.0.0.1:1/gcsched"
    settings = environment(mongo=uri, redis=redis_url, relay_port=9)
    process = ServiceProcess(
        environment=settings, log_file=tmp_path / "service.log", port=free_port()
    )

    process.launch()
    code = await process.wait_for_exit()

    assert code == 2
    assert "GCSCHED_MONGO_URI" in process.log
    assert "p@ss" not in process.log


async def test_no_log_line_holds_an_address_or_a_word_of_the_mail(
    tmp_path: Path, mongo_uri: str, redis_url: str
) -> None:
    async with Relay() as relay:
        settings = environment(
            mongo=mongo_uri, redis=redis_url, relay_port=relay.port, log_level="DEBUG"
        )
        async with (
            running_service(tmp_path, settings) as running,
            scheduler_stub(running.target) as stub,
        ):
            await stub.ScheduleMeet(
                a_meet(1, emailID="ada@secret.example.org", message="Private matter", empName="Ada")
            )
            await until(lambda: '"job sent"' in running.log)
            await running.stop()

    for private in ("secret.example.org", "Private matter", "Ada"):
        assert private not in running.log


async def test_sigterm_lets_the_begun_mail_finish_and_releases_the_others(
    tmp_path: Path, mongo_uri: str, redis_url: str
) -> None:
    async with Relay() as relay:
        reply = asyncio.Event()
        relay.script(At.BODY, Hang(reply), nth=1)
        settings = environment(
            mongo=mongo_uri, redis=redis_url, relay_port=relay.port, smtp_sessions="1"
        )
        async with (
            running_service(tmp_path, settings) as running,
            scheduler_stub(running.target) as stub,
        ):
            await asyncio.gather(*(stub.ScheduleMeet(a_meet(n)) for n in range(5)))
            await until(lambda: relay.applied_actions)  # the relay has the first body

            running.signal(signal.SIGTERM)
            await until(lambda: "stopping" in running.log)
            reply.set()
            code = await running.wait_for_exit()

            kept_at_stop = len(relay.ledger)
            await running.start()
            await until(lambda: len(relay.ledger) == 5)

    assert code == 0
    assert kept_at_stop == 1
    assert {len(kept) for kept in relay.per_recipient.values()} == {1}
    assert "lease" not in running.log


async def test_sigterm_with_open_streams_takes_no_longer_than_without(
    tmp_path: Path, mongo_uri: str, redis_url: str
) -> None:
    settings = environment(mongo=mongo_uri, redis=redis_url, relay_port=9)
    async with (
        running_service(tmp_path, settings) as running,
        grpc.aio.insecure_channel(running.target) as channel,
    ):
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
        serving = await watch.read()

        started = time.monotonic()
        running.signal(signal.SIGTERM)
        not_serving = await watch.read()
        code = await running.wait_for_exit()
        seconds = time.monotonic() - started

        assert await watch.code() is grpc.StatusCode.UNAVAILABLE
    assert serving.status == health_pb2.HealthCheckResponse.SERVING
    assert not_serving.status == health_pb2.HealthCheckResponse.NOT_SERVING
    assert code == 0
    assert seconds < 4


async def test_a_second_signal_stops_at_once(
    tmp_path: Path, mongo_uri: str, redis_url: str
) -> None:
    async with Relay() as relay:
        relay.script(At.BODY, Hang())
        settings = environment(mongo=mongo_uri, redis=redis_url, relay_port=relay.port)
        async with (
            running_service(tmp_path, settings) as running,
            scheduler_stub(running.target) as stub,
        ):
            await stub.ScheduleMeet(a_meet(1))
            await until(lambda: relay.count_commands("DATA") == 1)
            running.signal(signal.SIGTERM)
            await until(lambda: "stopping" in running.log)

            started = time.monotonic()
            running.signal(signal.SIGINT)
            code = await running.wait_for_exit()

    assert code == 128 + signal.SIGINT
    assert time.monotonic() - started < 2
