"""Majority reads on a standalone node."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from gcsched.adapters.mongo.codec import encode
from gcsched.adapters.mongo.connection import Mongo, open_mongo
from gcsched.adapters.mongo.job_changes import MongoJobChanges
from gcsched.adapters.mongo.job_reader import MongoJobList
from gcsched.adapters.mongo.recipients import MongoPersonalData
from gcsched.adapters.mongo.runs import MongoRuns
from gcsched.dev.stores.children import is_listening
from gcsched.dev.stores.mongod import Mongod, MongodOptions
from gcsched.domain.job import State
from gcsched.domain.job_list import JobFilter, JobListQuery, JobOrder
from tests.support.builders import NOW, a_job
from tests.support.clocks import DAY
from tests.support.ports import free_port
from tests.support.wait import until

ALL = JobListQuery(filter=JobFilter(), order=JobOrder.CREATE_TIME_ASC)


@asynccontextmanager
async def a_standalone_node(folder: Path) -> AsyncIterator[Mongo]:
    """Run a mongod that is not a member of a replica set, as some operators do."""
    server = Mongod(folder, MongodOptions(port=free_port()))
    arguments = list(server.child.command)
    position = arguments.index("--replSet")
    server.child.command = [*arguments[:position], *arguments[position + 2 :]]
    server.launch()
    try:
        await until(lambda: is_listening(server.port))
        async with open_mongo(server.uri) as mongo:
            await mongo.prepare()
            yield mongo
    finally:
        await asyncio.to_thread(server.child.kill)


async def test_majority_reads_work_on_a_standalone_node(tmp_path: Path) -> None:
    async with a_standalone_node(tmp_path) as mongo:
        waiting = a_job(id="queued", state=State.QUEUED, dedup_key="q")
        ended = a_job(id="sent", state=State.SENT)
        await mongo.jobs.insert_many([encode(waiting), encode(ended)])
        data = MongoPersonalData(mongo=mongo)

        lists = MongoJobList(mongo=mongo, is_majority_read=True)
        page = await lists.read_page(ALL, None, most=5, is_full=True)
        committed = await MongoJobChanges(mongo=mongo, retention=DAY).find_committed(
            ["sent", "none"]
        )
        unfinished = await data.count_unfinished("E1")
        erased = await data.erase_jobs("E1", after="", most=5, now=NOW)
        again = await data.erase_jobs("E1", after="", most=5, now=NOW)
        moved = await MongoRuns(mongo=mongo).move_queued(
            until=NOW + DAY, now=NOW, not_after=NOW, most=5
        )
        left = await mongo.jobs.count_documents({})

    assert [job.id for job in page.jobs] == ["queued", "sent"]
    assert committed == [ended]
    assert unfinished == 1
    assert (erased.jobs, again.jobs) == (1, 0)
    assert moved == (1, 1)
    assert left == 2  # the update that matches nothing has stored nothing
