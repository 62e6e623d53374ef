from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gcsched.bench.access import check_access
from gcsched.bench.scenario import SCENARIOS
from gcsched.client import AsyncClient, PermissionDenied
from tests.support.clients import client_toml, make_token, write_clients
from tests.support.relay.server import Relay
from tests.support.service_process import ServiceProcess, environment, running_service

SCOPES = {
    "scheduling": ["schedule"],
    "cancelling": ["bulk"],
    "least": ["schedule", "bulk"],
    "mixing": ["schedule", "bulk", "steer"],
    "reading": ["schedule", "bulk", "read"],
    "all": ["schedule", "bulk", "steer", "read", "content"],
}
TOKENS = {name: make_token() for name in SCOPES}


@pytest.fixture
async def service(
    tmp_path: Path, mongo_uri: str, redis_url: str, relay: Relay
) -> AsyncIterator[ServiceProcess]:
    clients = [client_toml(name, scopes, TOKENS[name]) for name, scopes in SCOPES.items()]
    file = write_clients(tmp_path / "clients.toml", *clients)
    settings = environment(
        mongo=mongo_uri, redis=redis_url, relay_port=relay.port, clients_file=str(file)
    )
    async with running_service(tmp_path, settings) as running:
        yield running


async def find_missing(target: str, token: str, *names: str) -> str:
    """Return the scope that is missing for scenarios, and what the user reads; or nothing."""
    async with AsyncClient(target, token=token, environment={}) as client:
        scenarios = [SCENARIOS[name] for name in names]
        try:
            await check_access(client, scenarios, run="ab", domain="bench.test")
        except PermissionDenied as error:
            return f"{error.metadata['scope']}: {error.__notes__[0].partition('.')[0]}"
    return ""


async def test_a_missing_scope_is_found_before_anything_is_scheduled(
    service: ServiceProcess,
) -> None:
    cases = {
        ("scheduling", "unary"): "bulk: Nothing was scheduled",
        ("cancelling", "unary"): "schedule: Nothing was scheduled",
        ("least", "unary", "batch", "burst", "soak"): "",
        ("least", "unary", "mixed"): "steer: Nothing was scheduled",
        ("mixing", "mixed"): "",
        ("reading", "unary"): "",
        ("reading", "unary", "burst"): "content: Nothing was scheduled",
        ("all", "unary", "burst", "mixed"): "",
    }

    found = {
        (name, *scenarios): await find_missing(service.target, TOKENS[name].text, *scenarios)
        for name, *scenarios in cases
    }

    assert found == cases
    async with AsyncClient(service.target, token=TOKENS["all"].text, environment={}) as client:
        assert [each async for each in client.list_jobs()] == []
