"""Fill `folded` in documents of an earlier version, and run that version beside this one.

    python -m tests.measure.folding --old COMMIT [--jobs 200000] \\
        --json docs/measurements/folding.json

Prints figures and checks nothing.
"""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

from pymongo import MongoClient
from pymongo.database import Database

from gcsched.adapters.mongo.address_folding import MongoAddressFolding
from gcsched.adapters.mongo.codec import encode
from gcsched.adapters.mongo.connection import Mongo, open_mongo
from gcsched.adapters.mongo.index_names import BY_ID
from gcsched.adapters.mongo.job_reader import MongoJobList
from gcsched.adapters.mongo.suppressions import MongoSuppressions
from gcsched.domain.ids import new_id
from gcsched.domain.job import State
from gcsched.domain.job_list import JobFilter, JobListQuery, JobOrder
from gcsched.errors import StoreUnavailable
from gcsched.pb import task_pb2
from gcsched.usecases.ports import AddressStore
from gcsched.usecases.recovery.folding import Folding
from tests.measure.delivery import Figures, a_temporary_folder, run_metadata
from tests.support.builders import a_job
from tests.support.ports import free_port
from tests.support.program_versions import Version, current_version, other_version
from tests.support.relay.server import Relay
from tests.support.rows import Row
from tests.support.service_process import ServiceProcess, Stub, a_meet, environment, scheduler_stub
from tests.support.stores import own_mongod, own_valkey
from tests.support.wait import until

COMMAND = " ".join(["python -m tests.measure.folding", *sys.argv[1:]])
SUPPRESSIONS, PER_ADDRESS, BATCH, REPEATS = 20_000, 10, 500, 50
FAR = datetime.now(UTC) + timedelta(days=30)


async def measure_backfill(folder: Path, count: int) -> Figures:
    """Store documents as the earlier version does, fill `folded`, and time look-ups meanwhile."""
    async with own_mongod(folder) as server, open_mongo(server.uri) as mongo:
        await mongo.prepare()
        with MongoClient[Row](server.uri) as client:
            store_as_before(client.get_default_database(), count)
        before = await measure_lookups(mongo)
        started = time.monotonic()
        filling = asyncio.create_task(Folding(store=MongoAddressFolding(mongo=mongo)).fold())
        await until(lambda: is_half(mongo, count), within=300, every=0.1)
        half = await measure_lookups(mongo)
        await filling
        seconds = time.monotonic() - started
        again = await median_ms(
            lambda: Folding(store=MongoAddressFolding(mongo=mongo)).fold(), times=5
        )
        return {
            "jobs": count,
            "suppressions": SUPPRESSIONS,
            "seconds_with_rests": round(seconds, 1),
            "jobs_per_second": round(count / seconds),
            "a_round_with_nothing_to_fill_ms": again,
            "looks_before": before,
            "looks_at_half": half,
            "looks_after": await measure_lookups(mongo),
        }


def store_as_before(base: Database[Row], count: int) -> None:
    base["suppressions"].insert_many(
        [{"_id": f"Gone{n}@x.test", "until": FAR} for n in range(SUPPRESSIONS)]
    )
    ordinary = {k: v for k, v in encode(a_job(state=State.SENT)).items() if k != "folded"}
    for first in range(0, count, 10_000):
        base["jobs"].insert_many(
            ordinary
            | {
                "_id": new_id(FAR + timedelta(milliseconds=number)),
                "email": f"Someone{number // PER_ADDRESS}@x.test",
                "dedup_key": f"key-{number}",
                "delete_after": FAR,
            }
            for number in range(first, min(count, first + 10_000))
        )


async def is_half(mongo: Mongo, count: int) -> bool:
    left = await mongo.jobs.count_documents({"folded": None}, hint="folded_id")
    return bool(left <= count / 2)


async def measure_lookups(mongo: Mongo) -> Figures:
    """Time the look-up of a batch's suppressions, and a page of an address's jobs, in ms."""
    addresses = [f"someone{number}@x.test" for number in range(BATCH)]
    listing = JobListQuery(
        filter=JobFilter(email="someone7@x.test"), order=JobOrder.CREATE_TIME_DESC
    )
    now = datetime.now(UTC)

    async def batch() -> None:
        assert not await MongoSuppressions(mongo=mongo).find_active(addresses, now=now)

    async def batch_of_the_version_before() -> None:
        query = {"_id": {"$in": addresses}, "until": {"$gt": now}}
        assert not await mongo.suppressions.find(query, hint=BY_ID).to_list(None)

    refused = 0

    async def page() -> None:
        nonlocal refused
        try:
            await whole_page()
        except StoreUnavailable:  # the query exceeded its time limit
            refused += 1

    async def whole_page() -> None:
        found = await MongoJobList(mongo=mongo).read_page(listing, None, most=50, is_full=False)
        assert len(found.jobs) == PER_ADDRESS

    return {
        "suppressions_without_the_field": await count_missing(mongo, AddressStore.SUPPRESSIONS),
        "jobs_without_the_field": await count_missing(mongo, AddressStore.JOBS),
        "suppressions_of_a_batch_ms": await median_ms(batch, times=REPEATS),
        "the_same_by_the_version_before_ms": await median_ms(
            batch_of_the_version_before, times=REPEATS
        ),
        "page_of_an_address_ms": await median_ms(page, times=5),
        "pages_refused_of_5": refused,
    }


async def count_missing(mongo: Mongo, kind: AddressStore) -> int:
    return int(await mongo.database[kind.value].count_documents({"folded": None}))


async def median_ms(act: Callable[[], Awaitable[object]], *, times: int) -> float:
    """Return the median of the milliseconds that *act* takes."""
    taken = list[float]()
    for _ in range(times):
        started = time.perf_counter()
        await act()
        taken.append((time.perf_counter() - started) * 1000)
    return round(median(taken), 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class BothVersions:
    """Both versions on the same stores, and their database."""

    database: Database[Row]
    stubs: dict[str, Stub]
    processes: dict[str, ServiceProcess]

    async def suppress_and_send(self, by: str, suppressed: str, sender: str, to: str) -> str:
        """Suppress an address by one process; return the final state of a mail of *sender*."""
        request = task_pb2.AddSuppressionRequest(email=suppressed, reason="asked for it")
        await self.stubs[by].AddSuppression(request)
        idle = next(name for name in self.processes if name != sender)
        self.processes[idle].freeze()
        try:
            meet = a_meet(1, emailID=to, timestamp=int(time.time()) - 1)
            job_id = (await self.stubs[sender].ScheduleMeet(meet)).job_id
            return str(await self.wait_for_final_state(job_id))
        finally:
            self.processes[idle].thaw()

    async def wait_for_final_state(self, job_id: str) -> str:
        def state() -> str:
            row = self.database["jobs"].find_one({"_id": job_id}) or {}
            return str(row.get("state"))

        await until(lambda: state() in {"SENT", "SUPPRESSED"}, within=30)
        return state()

    async def wait_until_filled(self) -> float:
        """Return the seconds until no document lacks the field."""
        started = time.monotonic()
        await until(
            lambda: all(
                self.database[kind.value].find_one({"folded": None}) is None
                for kind in AddressStore
            ),
            within=60,
        )
        return round(time.monotonic() - started, 1)


@asynccontextmanager
async def run_both_versions(
    folder: Path, versions: tuple[Version, Version]
) -> AsyncIterator[BothVersions]:
    async with AsyncExitStack() as stack:
        mongo = await stack.enter_async_context(own_mongod(folder))
        valkey = await stack.enter_async_context(own_valkey(folder))
        relay = await stack.enter_async_context(Relay())
        settings = environment(mongo=mongo.uri, redis=valkey.uri, relay_port=relay.port)
        client = stack.enter_context(MongoClient[Row](mongo.uri, tz_aware=True))
        stubs, processes = {}, {}
        for version in versions:
            process = ServiceProcess(
                environment={**settings, **version.environment},
                log_file=folder / f"{version.name}.log",
                port=free_port(),
            )
            stack.push_async_callback(process.kill_if_running)
            await process.start()
            processes[version.name] = process
            stubs[version.name] = await stack.enter_async_context(scheduler_stub(process.target))
        yield BothVersions(database=client.get_default_database(), stubs=stubs, processes=processes)


async def measure_side_by_side(folder: Path, versions: tuple[Version, Version]) -> Figures:
    """Suppress by each version, send by each, list and erase by each."""
    seen: Figures = {"old": versions[0].commit, "new": versions[1].commit}
    async with run_both_versions(folder, versions) as both:
        for by in ("old", "new"):
            for sender in ("old", "new"):
                name = f"{by}-{sender}"
                for kind, to in (("same", f"Boss.{name}@x.test"), ("other", f"boss.{name}@x.test")):
                    key = f"suppressed by {by}, sent by {sender}, {kind} spelling"
                    seen[key] = await both.suppress_and_send(by, f"Boss.{name}@x.test", sender, to)
        seen["seconds_until_all_is_filled"] = await both.wait_until_filled()
        for name, stub in both.stubs.items():
            by_address = task_pb2.JobFilter(email="BOSS.old-old@x.test")
            reply = await stub.CountJobs(task_pb2.CountJobsRequest(filter=by_address))
            seen[f"jobs counted by {name} in a third spelling"] = reply.count
        forget = task_pb2.ForgetRecipientRequest(empid=a_meet(1, timestamp=0).empid)
        erased = await both.stubs["old"].ForgetRecipient(forget)
        left = {"email": "", "folded": {"$gt": ""}}
        await until(lambda: both.database["jobs"].find_one(left) is None, within=60)
        seen["erased by old"] = erased.erased_jobs
        seen["of these with an address left"] = both.database["jobs"].count_documents(left)
    return seen


async def measure(folder: Path, options: argparse.Namespace) -> Figures:
    versions = (await other_version(options.old, folder), await current_version())
    for version in versions:
        await version.check()
    figures: Figures = {"surroundings": {**run_metadata(), "command": COMMAND}}
    for name in ("filling", "beside"):
        (folder / name).mkdir()
    figures["filling"] = await measure_backfill(folder / "filling", options.jobs)
    figures["beside"] = await measure_side_by_side(folder / "beside", versions)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--old", required=True, help="a commit, or a folder with a checkout")
    parser.add_argument("--jobs", type=int, default=200_000)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with a_temporary_folder() as folder:
        figures = asyncio.run(measure(folder, options))
    print(json.dumps(figures, indent=1))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
