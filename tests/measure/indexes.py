"""Drop, hide and replace each index under load; measure until mails and admission are back.

    python -m tests.measure.indexes --json docs/measurements/indexes.json

Two processes share the stores; 20 requests a second ask for mails that are due at once.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from pymongo import IndexModel, MongoClient
from pymongo.database import Database

from gcsched.adapters.mongo.documents import INDEXES
from tests.measure.delivery import Figures, seconds_from_now
from tests.measure.survive import Scenarios, run_scenarios
from tests.scenarios.cluster import Cluster, a_cluster, time_call
from tests.support.rows import Row
from tests.support.service_process import a_meet, scheduler_stub
from tests.support.wait import until

Base = Database[Row]
ALL_INDEXES = [(name, each.document["name"]) for name, models in INDEXES.items() for each in models]
PER_SECOND = 20
SETTLE_SECONDS = 1.5
MAX_SECONDS = 40.0


@dataclass(kw_only=True, eq=False)
class Load:
    """What was asked for: recipient → when it was asked; and how each call ended, and when."""

    requested: dict[str, float] = field(default_factory=dict)
    codes: list[tuple[float, str]] = field(default_factory=list)


@asynccontextmanager
async def run_load(stage: Cluster) -> AsyncIterator[Load]:
    load = Load()

    async def ask() -> None:
        number = 0
        while True:
            service = stage.services[number % len(stage.services)]
            request = a_meet(number, timestamp=seconds_from_now(0))
            async with scheduler_stub(service.target) as stub:
                call = await time_call(stub, request)
            load.codes.append((time.time(), call.code))
            if call.code == "OK":
                load.requested[request.emailID] = time.time()
            number += 1
            await asyncio.sleep(1 / PER_SECOND)

    async with asyncio.TaskGroup() as tasks:
        asking = tasks.create_task(ask())
        yield load
        asking.cancel()


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedCluster:
    """Two processes and their callers, and the database behind their backs."""

    cluster: Cluster
    load: Load
    database: Base

    async def measure_recovery(
        self, act: Callable[[], object], cure: Callable[[], object]
    ) -> Figures:
        """Act, cure, and tell in how many seconds all is whole and when calls were refused."""
        begun = time.time()
        act()
        if cure is not do_nothing:
            await asyncio.sleep(5)
            cure()
        cured = time.time()
        await wait_for_indexes(self.database)
        whole = time.time()
        await asyncio.sleep(SETTLE_SECONDS)
        refused = [at - begun for at, code in self.load.codes if at > begun and code != "OK"]
        return {
            "whole_after_cure_seconds": round(whole - cured, 2),
            "is_whole": has_all_indexes(self.database),
            "refused_calls": len(refused),
            "last_refused_after_seconds": round(max(refused, default=0.0), 2),
            "slowest_mail_seconds": round(max(self.mail_delays(begun - 1), default=0.0), 2),
        }

    def mail_delays(self, since: float) -> list[float]:
        arrivals, asked = self.cluster.arrivals(), self.load.requested.items()
        return [arrivals[to][0] - at for to, at in asked if at > since and to in arrivals]


async def each_index(folder: Path) -> Figures:
    """Drop and hide each in turn, put another in the place of two, and drop the collection."""
    async with a_cluster(folder, services=2) as stage, run_load(stage) as load:
        with MongoClient[Row](stage.mongo.uri) as client:
            base = client.get_default_database()
            under = LoadedCluster(cluster=stage, load=load, database=base)
            seen: Figures = {}
            for collection, name in ALL_INDEXES:
                drop = partial(base[collection].drop_index, name)
                seen[f"drop {name}"] = await under.measure_recovery(drop, do_nothing)
                hidden = partial(hide_index, base, collection, name)
                seen[f"hide {name}"] = await under.measure_recovery(hidden, do_nothing)
            for name in ("claim", "dedup_key"):
                other, drop = (
                    partial(replace_index, base, name),
                    partial(base["jobs"].drop_index, name),
                )
                seen[f"replace {name}"] = await under.measure_recovery(other, drop)
            await asyncio.sleep(3)
            missing = [each for each in load.requested if each not in stage.arrivals()]
            seen["drop jobs"] = await under.measure_recovery(base["jobs"].drop, do_nothing)
    codes = Counter(code for _, code in load.codes)
    return {"calls": dict(codes), "accepted_and_not_mailed": len(missing), "each": seen}


def do_nothing() -> None:
    """Be the cure where nobody does anything."""


async def wait_for_indexes(base: Base) -> None:
    with suppress(AssertionError):  # told as not whole
        await until(lambda: has_all_indexes(base), within=MAX_SECONDS, every=0.05)


def has_all_indexes(base: Base) -> bool:
    for collection, models in INDEXES.items():
        there = {each["name"]: each for each in base[collection].list_indexes()}
        for model in models:
            found = there.get(model.document["name"])
            if found is None or found.get("hidden") or found["key"] != model.document["key"]:
                return False
    return True


def hide_index(base: Base, collection: str, name: str) -> None:
    base.command("collMod", collection, index={"name": name, "hidden": True})


def replace_index(base: Base, name: str) -> None:
    base["jobs"].drop_index(name)
    base["jobs"].create_indexes([IndexModel([("other", 1)], name=name)])


async def duplicates(folder: Path) -> Figures:
    """Two jobs get the same key while the unique index is gone, and the processes begin anew."""
    async with a_cluster(folder, services=2) as stage, run_load(stage) as load:
        await asyncio.sleep(3)
        with MongoClient[Row](stage.mongo.uri) as client:
            base = client.get_default_database()
            [row] = base["jobs"].find({"state": "SENT"}).limit(1)
            base["jobs"].drop_index("dedup_key")
            base["jobs"].insert_one({**row, "_id": "second"})
            begun = time.time()
            await asyncio.sleep(6)
            for service in stage.services:
                await service.stop()
                await service.start()
            await asyncio.sleep(3)
            base["jobs"].update_one({"_id": "second"}, {"$unset": {"dedup_key": ""}})
            cured = time.time()
            await wait_for_indexes(base)
            whole = time.time()
            await asyncio.sleep(3)
    while_open = [code for at, code in load.codes if begun + 2.5 < at < cured]
    after = [code for at, code in load.codes if at > whole + 2]
    return {
        "seconds_to_notice": round(
            min((at - begun for at, code in load.codes if at > begun and code != "OK"), default=-1),
            2,
        ),
        "calls_while_not_unique": dict(Counter(while_open)),
        "whole_after_cure_seconds": round(whole - cured, 2),
        "calls_after": dict(Counter(after)),
    }


SCENARIOS: Scenarios = {"each_index": each_index, "duplicates": duplicates}


if __name__ == "__main__":
    run_scenarios("tests.measure.indexes", __doc__, SCENARIOS)
