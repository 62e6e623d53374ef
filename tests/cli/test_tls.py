"""Client commands over TLS: their options, the own service, and errors that say what to do."""

import json
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path

import grpc
import pytest
import trustme
from prometheus_client import CollectorRegistry

from gcsched.cli.main import COMMANDS, build_parser
from gcsched.cli.tls import choose_tls
from gcsched.client import Tls
from gcsched.errors import GcschedError
from gcsched.pb import task_pb2
from gcsched.process.key_pairs import read_key_pair
from gcsched.web.connection_limiter import ConnectionLimiter
from gcsched.web.readiness import Readiness
from gcsched.web.server import Endpoints, serve_http
from tests.support.certificates import (
    DAY,
    NOW,
    PairFiles,
    chain_of,
    issue,
    write_authority,
    write_pair,
)
from tests.support.command import CommandResult, run_command
from tests.support.fake_scheduler import fake_scheduler

REPORT = task_pb2.StatusReport(version="1.2.3", python="3.11.9")


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@asynccontextmanager
async def serve(pair: trustme.LeafCert, clients: trustme.CA | None = None) -> AsyncIterator[str]:
    """Serve GetStatus and health at localhost; yield the port."""
    roots = None if clients is None else clients.cert_pem.bytes()
    own = [(pair.private_key_pem.bytes(), chain_of(pair))]
    credentials = grpc.ssl_server_credentials(own, roots, clients is not None)
    async with fake_scheduler(credentials, GetStatus=REPORT) as service:
        yield service.target.partition(":")[2]


def options(ca_file: Path | None, pair: PairFiles | None = None) -> list[str]:
    given = ["--tls-ca-file", str(ca_file)] if ca_file is not None else []
    own = ["--tls-cert-file", str(pair.chain), "--tls-key-file", str(pair.key)] if pair else []
    return [*given, *own]


async def health(port: str, *more: str, host: str = "localhost") -> CommandResult:
    """Run the one command that does not call again after UNAVAILABLE."""
    return await run_command("health", "--target", f"{host}:{port}", *more)


async def status(port: str, *more: str) -> CommandResult:
    return await run_command("status", "--target", f"localhost:{port}", *more)


async def test_options_and_variables_name_the_files(
    tmp_path: Path, authority: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    ca_file = write_authority(tmp_path, authority)
    own = write_pair(tmp_path, issue(authority, "payroll.internal"), name="own")
    async with serve(issue(authority), authority) as port:
        by_options = await status(port, *options(ca_file, own))
        monkeypatch.setenv("GCSCHED_TLS_CA_FILE", str(ca_file))
        monkeypatch.setenv("GCSCHED_TLS_CERT_FILE", str(own.chain))
        monkeypatch.setenv("GCSCHED_TLS_KEY_FILE", str(own.key))
        by_variables = await status(port)
        checked = await health(port)

    assert (by_options.code, by_options.err) == (by_variables.code, by_variables.err) == (0, "")
    assert (checked.code, checked.out) == (0, f"localhost:{port} SERVING\n")


async def test_what_a_command_looks_up_beside_its_call_goes_over_tls_too(
    tmp_path: Path, authority: trustme.CA
) -> None:
    pair, ca_file = issue(authority), write_authority(tmp_path, authority)
    own = [(pair.private_key_pem.bytes(), chain_of(pair))]
    accepted = task_pb2.MeetResponse(
        success=True,
        job_id="7",
        outcome=task_pb2.MeetResponse.CREATED,
        state=task_pb2.Job.SCHEDULED,
    )
    paused = task_pb2.StatusReport(pause=task_pb2.Pause(by="ada", reason="the relay moves"))
    credentials = grpc.ssl_server_credentials(own)
    async with fake_scheduler(credentials, ScheduleMeet=accepted, GetStatus=paused) as service:
        port = service.target.partition(":")[2]
        given = ["--to", "ada@example.org", "--empid", "E1", "--message", "Hi"]
        more = ["--target", f"localhost:{port}", "--tls-ca-file", str(ca_file)]
        done = await run_command("schedule", *given, *more)

    assert done.code == 0, done.err
    assert "the relay moves" in done.out


async def test_an_error_says_which_side_is_wrong(tmp_path: Path, authority: trustme.CA) -> None:
    """Every sentence but the first line of gRPC was found by asking the server once more."""
    trusting = options(write_authority(tmp_path, authority))
    foreign = trustme.CA()
    other = options(write_authority(tmp_path, foreign, name="other.pem"))
    stranger = options(tmp_path / "ca.pem", write_pair(tmp_path, issue(foreign), name="stranger"))
    async with AsyncExitStack() as stack:
        good = await stack.enter_async_context(serve(issue(authority, "localhost", "a.example")))
        asking = await stack.enter_async_context(serve(issue(authority), authority))
        past = issue(authority, start=NOW - 2 * DAY, end=NOW - timedelta(hours=1))
        expired = await stack.enter_async_context(serve(past))
        plain = await stack.enter_async_context(fake_scheduler(GetStatus=REPORT))
        plain_port = plain.target.partition(":")[2]
        results = {
            "expects TLS: use --tls-ca-file FILE, or --tls.": await health(good),
            "does not speak TLS: leave out --tls": await health(plain_port, *trusting),
            "has a certificate for other names: localhost, a.example. Call": await health(
                good, *trusting, host="127.0.0.1"
            ),
            "has a certificate that is of an unknown authority: give": await health(good, *other),
            "is of an unknown authority": await health(good, "--tls"),
            "has a certificate that has expired: renew it": await health(expired, *trusting),
            "requires a client certificate: use --tls-cert-file": await health(asking, *trusting),
            "refuses this client certificate: it must be of an authority": await health(
                asking, *stranger
            ),
        }
        as_json = await status(good, "--json")

    for sentence, result in results.items():
        assert result.code == 3, result
        first, hint = result.err.splitlines()
        assert " is unavailable: " in first
        assert sentence in hint, result
    assert "expects TLS: use --tls-ca-file FILE" in json.loads(as_json.err)["error"]["message"]


async def test_wrong_files_are_wrong_usage(tmp_path: Path) -> None:
    missing = await status("1", "--tls-ca-file", str(tmp_path / "none.pem"))
    single = await status("1", "--tls-cert-file", "own.pem")
    checked = await health("1", "--tls-ca-file", str(tmp_path / "none.pem"))

    expected = f"a file of TLS cannot be used: '{tmp_path / 'none.pem'}': file not found; give"
    assert (missing.code, single.code, checked.code) == (2, 2, 2)
    assert missing.err.startswith(expected)
    assert checked.err.startswith(expected)
    assert single.err.startswith("a client certificate and its key belong together; give both")


def choose_for(environ: dict[str, str], *given: str, target: str = "127.0.0.1:50051") -> Tls | None:
    chosen = build_parser(COMMANDS).parse_args(["health", "--target", target, *given])
    return choose_tls(chosen, environ)


def test_tls_is_chosen_by_options_then_variables_then_the_own_service(
    tmp_path: Path, authority: trustme.CA
) -> None:
    files = write_pair(tmp_path, issue(authority, "*.prod.svc", "127.0.0.1"))
    own = {
        "GCSCHED_GRPC_TLS_CERT_FILE": str(files.chain),
        "GCSCHED_GRPC_TLS_KEY_FILE": str(files.key),
    }
    listening = own | {"GCSCHED_GRPC_LISTEN": "0.0.0.0:6000"}
    beside = Tls(ca_file=str(files.chain), server_name="gcsched.prod.svc")

    assert choose_for({}) is None
    assert choose_for({}, "--tls") == choose_for({"GCSCHED_TLS": "1"}) == Tls()
    assert choose_for({"GCSCHED_TLS_CA_FILE": "a"}) == Tls(ca_file="a")
    assert choose_for({"GCSCHED_TLS_CA_FILE": "a"}, "--tls-ca-file", "b") == Tls(ca_file=Path("b"))
    assert choose_for(own) == beside
    assert choose_for(listening, target="127.0.0.1:6000") == beside
    assert choose_for(listening, target="far:6000") is None
    assert choose_for(own | {"GCSCHED_TLS": "1"}) == Tls()
    assert choose_for(own | {"GCSCHED_TLS": "0"}) is None
    with pytest.raises(GcschedError, match="GCSCHED_TLS: invalid value 'yes'; give 1 or 0"):
        choose_for({"GCSCHED_TLS": "yes"})


async def test_health_in_a_container_needs_no_option(
    tmp_path: Path, authority: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = issue(authority, "gcsched.prod.svc")
    files = write_pair(tmp_path, pair)
    monkeypatch.setenv("GCSCHED_GRPC_TLS_CERT_FILE", str(files.chain))
    monkeypatch.setenv("GCSCHED_GRPC_TLS_KEY_FILE", str(files.key))
    async with serve(pair) as port:
        monkeypatch.setenv("GCSCHED_GRPC_LISTEN", f"0.0.0.0:{port}")
        checked = await run_command("health")
        called = await run_command("status")
        files.write(issue(authority, "gcsched.prod.svc"))
        impostor = await run_command("health")

    assert (checked.code, checked.out) == (0, f"127.0.0.1:{port} SERVING\n")
    assert called.code == 0
    assert impostor.code == 3, "just that certificate is trusted"


def read_context(files: PairFiles) -> ssl.SSLContext:
    return read_key_pair(files.chain, files.key, now=NOW).context


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_health_of_a_service_that_requires_certificates_is_asked_by_http(
    scheme: str, tmp_path: Path, authority: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = write_pair(tmp_path, issue(authority))
    monkeypatch.setenv("GCSCHED_GRPC_TLS_CERT_FILE", str(files.chain))
    monkeypatch.setenv("GCSCHED_GRPC_TLS_KEY_FILE", str(files.key))
    monkeypatch.setenv("GCSCHED_GRPC_CLIENT_CA_FILE", str(write_authority(tmp_path, authority)))
    readiness = Readiness()
    context = None
    if scheme == "https":
        monkeypatch.setenv("GCSCHED_HTTP_TLS_CERT_FILE", str(files.chain))
        context = read_context(files)
    serving = serve_http(
        Endpoints(registry=CollectorRegistry(), readiness=readiness),
        listen="127.0.0.1:0",
        limiter=ConnectionLimiter(max_connections=10),
        tls=lambda: context,
    )
    async with serving as port:
        monkeypatch.setenv("GCSCHED_HTTP_LISTEN", f"0.0.0.0:{port}")
        early = await run_command("health")
        readiness.mark_serving()
        ready = await run_command("health")
        files.key.write_text("broken")
        broken = await run_command("health")
    gone = await run_command("health")

    url = f"{scheme}://127.0.0.1:{port}/servez"
    assert (early.code, early.out) == (1, f"{url} NOT_SERVING\n")
    assert (ready.code, ready.out) == (broken.code, broken.out) == (0, f"{url} SERVING\n")
    assert gone.code == 3
    assert gone.err.startswith(f"{url} is unavailable: ")
