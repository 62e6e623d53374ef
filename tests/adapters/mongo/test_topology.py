"""What a MongoDB must be, by its own answers: real ones that stand alone, or wait for their set."""

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
FORMS = {
    "direct": "?directConnection=true",
    "plain": "?serverSelectionTimeoutMS=300",
    "of a set": "?replicaSet=rs0&serverSelectionTimeoutMS=300",
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
def test_an_answer_tells_the_kind(hello: Mapping[str, Any], kind: DeploymentKind) -> None:
    assert classify_host(hello) is kind


def test_one_host_of_several_that_stands_alone_for_a_while_refuses_nothing() -> None:
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


def test_a_set_is_called_uninitiated_only_when_two_looks_in_a_row_say_so() -> None:
    looks = DeploymentCheck()

    def check(kind: DeploymentKind | None) -> str | None:
        looks.start()
        return looks.describe(kind)

    assert check(DeploymentKind.UNINITIATED) == UNCONFIGURED
    assert check(DeploymentKind.UNCONFIGURED) == UNCONFIGURED
    assert check(DeploymentKind.UNINITIATED) == UNCONFIGURED
    looks.start()  # no answer
    assert check(DeploymentKind.UNINITIATED) == UNCONFIGURED
    assert check(DeploymentKind.UNINITIATED) == NEVER_INITIATED
    assert check(DeploymentKind.REPLICATED) is None
    assert check(DeploymentKind.UNINITIATED) == UNCONFIGURED


@asynccontextmanager
async def a_mongod(folder: Path, *, standalone: bool) -> AsyncIterator[OwnServer]:
    async with run_own(BareMongod(folder / "mongod", standalone=standalone)) as server:
        yield server


async def test_a_standalone_mongod_is_refused_unless_that_is_allowed(tmp_path: Path) -> None:
    async with a_mongod(tmp_path, standalone=True) as server:
        for form in FORMS.values():
            async with open_mongo(f"mongodb://127.0.0.1:{server.port}/{form}") as mongo:
                with pytest.raises(SettingsProblems) as refused:
                    await mongo.check_deployment()
            (sentence,) = refused.value.sentences
            assert sentence.startswith("GCSCHED_MONGO_URI cannot be used: it is a standalone")
            for what in ("--replSet rs0", "rs.initiate()", "GCSCHED_ALLOW_STANDALONE=1"):
                assert what in sentence

        uri = f"mongodb://127.0.0.1:{server.port}/{FORMS['plain']}"
        with capture_logs() as logs:
            async with open_mongo(uri, allow_standalone=True) as mongo:
                await mongo.check_deployment()
                await mongo.ping()
        assert [line["event"] for line in logs] == ["standalone MongoDB allowed"]

        of_a_set = f"mongodb://127.0.0.1:{server.port}/{FORMS['of a set']}"
        async with open_mongo(of_a_set, allow_standalone=True) as mongo:
            with pytest.raises(StoreUnavailable) as waits:
                await mongo.check_deployment()
        assert "leave replicaSet out" in waits.value.why


async def test_one_that_stands_alone_later_makes_the_service_unready(tmp_path: Path) -> None:
    async with a_mongod(tmp_path, standalone=True) as server:
        uri = f"mongodb://127.0.0.1:{server.port}/?directConnection=true"
        async with open_mongo(uri) as mongo:
            with pytest.raises(StoreRefused) as refused:
                await mongo.ping()

    assert "standalone" in refused.value.sentence


async def test_a_set_that_was_never_initiated_is_waited_for_and_told(tmp_path: Path) -> None:
    async with a_mongod(tmp_path, standalone=False) as server:
        for form in FORMS.values():
            async with open_mongo(f"mongodb://127.0.0.1:{server.port}/{form}") as mongo:
                with pytest.raises(StoreUnavailable) as first:
                    await mongo.check_deployment()
                with pytest.raises(StoreUnavailable) as waits:
                    await mongo.check_deployment()
            assert first.value.why == UNCONFIGURED
            assert "rs.initiate()" in waits.value.why

        alive, dead = server.port, free_port()
        of_two = f"mongodb://127.0.0.1:{alive},127.0.0.1:{dead}/{FORMS['of a set']}"
        async with open_mongo(of_two) as mongo:
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


async def test_a_replica_set_is_taken(mongo_uri: str) -> None:
    async with open_mongo(mongo_uri) as mongo:
        await mongo.check_deployment()
        await mongo.ping()
