import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from gcsched.cli import target
from tests.support.command import run_gcsched, run_python
from tests.support.in_process_app import make_settings, running_app
from tests.support.ports import free_port


async def test_a_running_service_is_serving(mongo_uri: str, redis_url: str) -> None:
    settings = make_settings(mongo=mongo_uri, redis=redis_url, relay_port=9)
    async with running_app(settings) as app:
        whole = await run_gcsched("health", "--target", app.target)
        one = await run_gcsched(
            "health", "--service=scheduler.Scheduler", GCSCHED_TARGET=app.target
        )
        local = await run_gcsched("health", GCSCHED_GRPC_LISTEN=app.target)
        unknown = await run_gcsched("health", "--service", "another.One", "--target", app.target)
        as_json = await run_gcsched("health", "--json", "--target", app.target)
        no_json = await run_gcsched("health", "--json", "--service=x", "--target", app.target)

    for each in (whole, one, local):
        assert (each.returncode, each.stdout) == (0, f"{app.target} SERVING\n")
    assert unknown.returncode == 1
    assert unknown.stderr.startswith(f"unknown service another.One: {app.target} does not have it;")
    assert (as_json.returncode, as_json.stderr) == (0, "")
    expected = {"target": app.target, "service": "", "status": "SERVING"}
    assert json.loads(as_json.stdout) == expected
    assert (no_json.returncode, no_json.stdout) == (1, "")
    assert json.loads(no_json.stderr)["error"]["code"] == "NOT_FOUND"


@asynccontextmanager
async def serve_health(
    status: health_pb2.HealthCheckResponse.ServingStatus,
) -> AsyncIterator[str]:
    server, servicer = grpc.aio.server(), health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        await servicer.set("", status)
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(0)


async def test_a_service_that_does_not_serve_is_a_failure() -> None:
    async with serve_health(health_pb2.HealthCheckResponse.NOT_SERVING) as where:
        done = await run_gcsched("health", "--target", where)
        as_json = await run_gcsched("health", "--json", "--target", where)

    assert (done.returncode, done.stdout) == (1, f"{where} NOT_SERVING\n")
    assert (as_json.returncode, as_json.stderr) == (1, "")
    assert json.loads(as_json.stdout)["status"] == "NOT_SERVING"


async def test_without_a_service_the_error_says_where_else_to_look() -> None:
    where = f"127.0.0.1:{free_port()}"

    done = await run_gcsched("health", "--target", where)

    assert done.returncode == 3
    assert done.stdout == ""
    line, advice = done.stderr.splitlines()
    assert line.startswith(f"{where} is unavailable: ")
    assert advice.startswith("Is gcsched running there? Use --target or GCSCHED_TARGET to name")


async def test_a_service_that_does_not_answer_runs_into_the_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0)) as accepts_and_never_answers:
        where = f"127.0.0.1:{accepts_and_never_answers.getsockname()[1]}"
        done = await run_gcsched("health", "--target", where, "--timeout", "0.2")

    assert done.returncode == 3
    assert done.stderr.startswith(f"{where} did not answer within 0.2 s\nNothing answers there")


async def test_a_proxy_in_the_environment_is_not_used_for_loopback() -> None:
    proxy = f"http://127.0.0.1:{free_port()}"
    where = f"127.0.0.1:{free_port()}"

    done = await run_gcsched("health", "--target", where, http_proxy=proxy, no_proxy="")

    assert where in done.stderr.partition("is unavailable: ")[2]


@pytest.mark.parametrize("given", ["0", "-1", "inf", "nan", "soon"])
async def test_an_invalid_timeout_is_wrong_usage(given: str) -> None:
    done = await run_gcsched("health", f"--timeout={given}")

    assert done.returncode == 2
    assert f"invalid seconds '{given}': expected a number > 0, e.g. 2.5" in done.stderr


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, "127.0.0.1:50051"),
        ({"GCSCHED_GRPC_LISTEN": "0.0.0.0:6000"}, "127.0.0.1:6000"),
        ({"GCSCHED_GRPC_LISTEN": "[::]:6000"}, "[::1]:6000"),
        ({"GCSCHED_GRPC_LISTEN": "[fd00::7]:6000"}, "[fd00::7]:6000"),
        ({"GCSCHED_GRPC_LISTEN": "gcsched.internal:6000"}, "gcsched.internal:6000"),
        ({"GCSCHED_GRPC_LISTEN": "0.0.0.0:6000", "GCSCHED_TARGET": "far:1"}, "far:1"),
    ],
)
def test_a_service_that_listens_everywhere_is_called_on_loopback(
    environ: dict[str, str], expected: str
) -> None:
    assert target.choose_target(None, environ) == expected
    assert target.choose_target("near:1", environ) == "near:1"


async def test_it_imports_only_what_it_needs() -> None:
    program = "import sys; from gcsched.cli.main import main\nmain(['health']); print(*sys.modules)"

    async with serve_health(health_pb2.HealthCheckResponse.SERVING) as where:
        done = await run_python("-c", program, GCSCHED_TARGET=where)

    imported = set(done.stdout.split())
    assert "grpc" in imported
    assert {"gcsched.client", "gcsched.config.settings", "pydantic", "motor"} & imported == set()
