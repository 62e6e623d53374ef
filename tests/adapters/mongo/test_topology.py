"""The kind of a deployment, on real servers: standalone, or without an initiated replica set."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from structlog.testing import capture_logs

from gcsched.adapters.mongo.connection import open_mongo
from gcsched.adapters.mongo.topology import (
    NEVER_INITIATED,
    UNCONFIGURED,
    DeploymentCheck,
    DeploymentKind,
    classify_host,
    classify_hosts,
)
from gcsched.errors import SettingsProblems, StoreRefused, StoreUnavailable
from tests.support.ports import free_port
from tests.support.stores import BareMongod, OwnServer, run_own

SET = {"setName": "rs0", "isWritablePrimary": True}
MONGOS = {"msg": "isdbgrid", "isWritablePrimary": True}
ALONE = {"isWritablePrimary": True}
NOT_INITIATED = {"isreplicaset": True, "info": "Does not have a valid replica set config"}
QUERIES = {
    "direct": "?directConnection=true",
    "plain": "?serverSelectionTimeoutMS=300",
    "replica set": "?replicaSet=rs0&serverSelectionTimeoutMS=300",
}


@pytest.mark.parametrize(
    ("hello", "kind"),
    [
        (SET, DeploymentKind.REPLICATED),
        ({"setName": "rs0", "secondary": True}, DeploymentKind.REPLICATED),
        (MONGOS, DeploymentKind.REPLICATED),
        (ALONE, DeploymentKind.STANDALONE),
        (NOT_INITIATED, DeploymentKind.UNCONFIGURED),
        ({}, DeploymentKind.STANDALONE),
    ],
)
def test_a_hello_reply_shows_the_deployment_kind(
    hello: Mapping[str, Any], kind: DeploymentKind
) -> None:
    assert classify_host(hello) is kind


def test_only_hosts_that_all_are_standalone_make_a_standalone_deployment() -> None:
    away = ConnectionError()
    assert classify_hosts([ALONE, away]) is None
    assert classify_hosts([ALONE, SET]) is DeploymentKind.REPLICATED
    assert classify_hosts([away, NOT_INITIATED]) is DeploymentKind.UNCONFIGURED
    assert classify_hosts([ALONE, NOT_INITIATED]) is DeploymentKind.UNCONFIGURED
    assert classify_hosts([SET, NOT_INITIATED]) is DeploymentKind.REPLICATED
    assert classify_hosts([NOT_INITIATED, NOT_INITIATED]) is DeploymentKind.UNINITIATED
    assert classify_hosts([ALONE, ALONE]) is DeploymentKind.STANDALONE
    assert classify_hosts([away]) is None
    assert classify_hosts([]) is None


def test_a_replica_set_is_reported_as_never_initiated_only_after_two_checks_in_a_row() -> None:
    deployment = DeploymentCheck()

    def check(kind: DeploymentKind | None) -> str | None:
        deployment.start()
        return deployment.describe(kind)

    assert check(DeploymentKind.UNINITIATED) == UNCONFIGURED
    assert check(DeploymentKind.UNCONFIGURED) == UNCONFIGURED
    assert check(DeploymentKind.UNINITIATED) == UNCONFIGURED
    deployment.start()  # no reply
    assert check(DeploymentKind.UNINITIATED) == UNCONFIGURED
    assert check(DeploymentKind.UNINITIATED) == NEVER_INITIATED
    assert check(DeploymentKind.REPLICATED) is None
    assert check(DeploymentKind.UNINITIATED) == UNCONFIGURED


@asynccontextmanager
async def a_mongod(folder: Path, *, standalone: bool) -> AsyncIterator[OwnServer]:
    async with run_own(BareMongod(folder / "mongod", standalone=standalone)) as server:
        yield server


async def test_a_standalone_mongod_is_refused_unless_it_is_allowed(tmp_path: Path) -> None:
    async with a_mongod(tmp_path, standalone=True) as server:
        for query in QUERIES.values():
            async with open_mongo(f"mongodb://127.0.0.1:{server.port}/{query}") as mongo:
                with pytest.raises(SettingsProblems) as refused:
                    await mongo.check_deployment()
            (sentence,) = refused.value.sentences
            assert sentence.startswith("GCSCHED_MONGO_URI cannot be used: it is a standalone")
            for what in ("--replSet rs0", "rs.initiate()", "GCSCHED_ALLOW_STANDALONE=1"):
                assert what in sentence

        uri = f"mongodb://127.0.0.1:{server.port}/{QUERIES['plain']}"
        with capture_logs() as logs:
            async with open_mongo(uri, allow_standalone=True) as mongo:
                await mongo.check_deployment()
                await mongo.ping()
        assert [line["event"] for line in logs] == ["standalone MongoDB allowed"]

        with_replica_set = f"mongodb://127.0.0.1:{server.port}/{QUERIES['replica set']}"
        async with open_mongo(with_replica_set, allow_standalone=True) as mongo:
            with pytest.raises(StoreUnavailable) as waiting:
                await mongo.check_deployment()
        assert "remove replicaSet" in waiting.value.why


async def test_a_mongod_that_becomes_standalone_later_fails_the_ping(tmp_path: Path) -> None:
    async with a_mongod(tmp_path, standalone=True) as server:
        uri = f"mongodb://127.0.0.1:{server.port}/?directConnection=true"
        async with open_mongo(uri) as mongo:
            with pytest.raises(StoreRefused) as refused:
                await mongo.ping()

    assert "standalone" in refused.value.sentence


async def test_a_replica_set_that_was_never_initiated_is_reported_and_used_once_it_is(
    tmp_path: Path,
) -> None:
    async with a_mongod(tmp_path, standalone=False) as server:
        for query in QUERIES.values():
            async with open_mongo(f"mongodb://127.0.0.1:{server.port}/{query}") as mongo:
                with pytest.raises(StoreUnavailable) as first:
                    await mongo.check_deployment()
                with pytest.raises(StoreUnavailable) as waiting:
                    await mongo.check_deployment()
            assert first.value.why == UNCONFIGURED
            assert "rs.initiate()" in waiting.value.why

        alive, dead = server.port, free_port()
        two_hosts = f"mongodb://127.0.0.1:{alive},127.0.0.1:{dead}/{QUERIES['replica set']}"
        async with open_mongo(two_hosts) as mongo:
            for _ in range(2):
                with pytest.raises(StoreUnavailable) as partly:
                    await mongo.check_deployment()
        assert partly.value.why == UNCONFIGURED

        direct = f"mongodb://127.0.0.1:{server.port}/?directConnection=true"
        async with open_mongo(direct) as mongo:
            with MongoClient[dict[str, Any]](direct) as operator:
                members = [{"_id": 0, "host": f"127.0.0.1:{server.port}"}]
                name = operator.admin.command("getCmdLineOpts")["parsed"]["replication"]["replSet"]
                config = {"_id": name, "members": members}
                await asyncio.to_thread(operator.admin.command, "replSetInitiate", config)
            await mongo.check_deployment()


async def test_a_replica_set_is_accepted(mongo_uri: str) -> None:
    async with open_mongo(mongo_uri) as mongo:
        await mongo.check_deployment()
        await mongo.ping()
