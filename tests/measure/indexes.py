"""Drop, hide and replace each index under load; measure how long repair and refused calls last.

    python -m tests.measure.indexes --json docs/measurements/indexes.json

Two processes share the stores; 20 requests a second schedule mails that are due at once.
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

from gcsched.adapters.mongo.other_documents import list_indexes
from tests.measure.delivery import Figures, seconds_from_now
from tests.measure.survive import Scenarios, run_scenarios
from tests.scenarios.cluster import Cluster, a_cluster, time_call
from tests.support.rows import Row
from tests.support.service_process import a_meet, scheduler_stub
from tests.support.wait import until

Base = Database[Row]
INDEXES = list_indexes(has_clients=False)
ALL_INDEXES = [(name, each.document["name"]) for name, models in INDEXES.items() for each in models]
PER_SECOND = 20
SETTLE_SECONDS = 1.5
MAX_SECONDS = 40.0


@dataclass(kw_only=True, eq=False)
class Load:
    """The accepted requests (recipient → time), and the time and status code of each call."""

    accepted: dict[str, float] = field(default_factory=dict)
    codes: list[tuple[float, str]] = field(default_factory=list)


@asynccontextmanager
async def run_load(cluster: Cluster) -> AsyncIterator[Load]:
    load = Load()

    async def call_repeatedly() -> None:
        number = 0
        while True:
            service = cluster.services[number % len(cluster.services)]
            request = a_meet(number, timestamp=seconds_from_now(0))
            async with scheduler_stub(service.target) as stub:
                call = await time_call(stub, request)
            load.codes.append((time.time(), call.code))
            if call.code == "OK":
                load.accepted[request.emailID] = time.time()
            number += 1
            await asyncio.sleep(1 / PER_SECOND)

    async with asyncio.TaskGroup() as tasks:
        calling = tasks.create_task(call_repeatedly())
        yield load
        calling.cancel()


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedCluster:
    """Two processes, their callers, and their database."""

    cluster: Cluster
    load: Load
    database: Base

    async def measure_recovery(
        self, damage: Callable[[], object], repair: Callable[[], object] | None = None
    ) -> Figures:
        """Damage an index; measure until all indexes are back, and the calls refused meanwhile.

        *repair* is what an operator has to do where the service cannot repair it alone.
        """
        started = time.time()
        damage()
        if repair is not None:
            await asyncio.sleep(5)
            repair()
        repaired = time.time()
        await wait_for_indexes(self.database)
        complete = time.time()
        await asyncio.sleep(SETTLE_SECONDS)
        refused = [at - started for at, code in self.load.codes if at > started and code != "OK"]
        return {
            "whole_after_cure_seconds": round(complete - repaired, 2),
            "is_whole": has_all_indexes(self.database),
            "refused_calls": len(refused),
            "last_refused_after_seconds": round(max(refused, default=0.0), 2),
            "slowest_mail_seconds": round(max(self.mail_delays(started - 1), default=0.0), 2),
        }

    def mail_delays(self, since: float) -> list[float]:
        arrivals, accepted = self.cluster.arrivals(), self.load.accepted.items()
        return [arrivals[to][0] - at for to, at in accepted if at > since and to in arrivals]


async def each_index(folder: Path) -> Figures:
    """Drop and hide each index in turn, replace two of them, and drop the collection."""
    async with a_cluster(folder, services=2) as cluster, run_load(cluster) as load:
        with MongoClient[Row](cluster.mongo.uri) as client:
            base = client.get_default_database()
            loaded = LoadedCluster(cluster=cluster, load=load, database=base)
            seen: Figures = {}
            for collection, name in ALL_INDEXES:
                drop = partial(base[collection].drop_index, name)
                seen[f"drop {name}"] = await loaded.measure_recovery(drop)
                hide = partial(hide_index, base, collection, name)
                seen[f"hide {name}"] = await loaded.measure_recovery(hide)
            for name in ("claim", "dedup_key"):
                replace = partial(replace_index, base, name)
                drop = partial(base["jobs"].drop_index, name)
                seen[f"replace {name}"] = await loaded.measure_recovery(replace, drop)
            await asyncio.sleep(3)
            missing = [each for each in load.accepted if each not in cluster.arrivals()]
            seen["drop jobs"] = await loaded.measure_recovery(base["jobs"].drop)
    codes = Counter(code for _, code in load.codes)
    return {"calls": dict(codes), "accepted_and_not_mailed": len(missing), "each": seen}


async def wait_for_indexes(base: Base) -> None:
    with suppress(AssertionError):  # reported as `is_whole`
        await until(lambda: has_all_indexes(base), within=MAX_SECONDS, every=0.05)


def has_all_indexes(base: Base) -> bool:
    for collection, models in INDEXES.items():
        present = {each["name"]: each for each in base[collection].list_indexes()}
        for model in models:
            found = present.get(model.document["name"])
            if found is None or found.get("hidden") or found["key"] != model.document["key"]:
                return False
    return True


def hide_index(base: Base, collection: str, name: str) -> None:
    base.command("collMod", collection, index={"name": name, "hidden": True})


def replace_index(base: Base, name: str) -> None:
    base["jobs"].drop_index(name)
    base["jobs"].create_indexes([IndexModel([("other", 1)], name=name)])


async def duplicates(folder: Path) -> Figures:
    """Store two jobs with the same key while the unique index is gone, and restart the services."""
    async with a_cluster(folder, services=2) as cluster, run_load(cluster) as load:
        await asyncio.sleep(3)
        with MongoClient[Row](cluster.mongo.uri) as client:
            base = client.get_default_database()
            [row] = base["jobs"].find({"state": "SENT"}).limit(1)
            base["jobs"].drop_index("dedup_key")
            base["jobs"].insert_one({**row, "_id": "second"})
            started = time.time()
            await asyncio.sleep(6)
            for service in cluster.services:
                await service.stop()
                await service.start()
            await asyncio.sleep(3)
            base["jobs"].update_one({"_id": "second"}, {"$unset": {"dedup_key": ""}})
            repaired = time.time()
            await wait_for_indexes(base)
            complete = time.time()
            await asyncio.sleep(3)
    while_not_unique = [code for at, code in load.codes if started + 2.5 < at < repaired]
    after = [code for at, code in load.codes if at > complete + 2]
    return {
        "seconds_to_notice": round(
            min(
                (at - started for at, code in load.codes if at > started and code != "OK"),
                default=-1,
            ),
            2,
        ),
        "calls_while_not_unique": dict(Counter(while_not_unique)),
        "whole_after_cure_seconds": round(complete - repaired, 2),
        "calls_after": dict(Counter(after)),
    }


SCENARIOS: Scenarios = {"each_index": each_index, "duplicates": duplicates}


if __name__ == "__main__":
    run_scenarios("tests.measure.indexes", __doc__, SCENARIOS)
