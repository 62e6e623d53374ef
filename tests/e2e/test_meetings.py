"""A process that is killed between a job and its meeting. Oracles: the ledger and the stores."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.database import Database

from gcsched.pb import task_pb2
from tests.scenarios.cluster import Cluster, a_cluster
from tests.support.service_process import a_meet
from tests.support.wait import until

Document = dict[str, Any]
EVENT = task_pb2.Event(
    start="2030-01-05T09:00", end="2030-01-05T10:00", time_zone="Europe/Berlin", location="Room 5"
)


@contextmanager
def open_database(cluster: Cluster) -> Iterator[Database[Document]]:
    with MongoClient[Document](cluster.mongo.uri, tz_aware=True) as client:
        yield client.get_default_database()


async def test_a_kill_between_a_job_and_its_meeting_loses_neither(tmp_path: Path) -> None:
    """MongoDB refuses the meetings until the process is killed: only the jobs are stored."""
    async with a_cluster(tmp_path) as cluster:
        due = int(time.time()) + 4
        later, soon = (
            a_meet(number, timestamp=at, event=EVENT, template="doc")
            for number, at in ((1, due + 3600), (2, due))
        )
        with open_database(cluster) as database:
            database.command("collMod", "meetings", validator={"never": True})
            calls = await cluster.call([later, soon, a_meet(3, timestamp=due)])
            await cluster.services[0].kill()
            assert [call.code for call in calls] == ["UNAVAILABLE", "UNAVAILABLE", "OK"]
            assert database["jobs"].count_documents({}) == 3
            assert database["meetings"].count_documents({}) == 0
            database.command("collMod", "meetings", validator={})

            await cluster.services[0].start()
            await until(lambda: len(cluster.arrivals()) == 2, within=40)  # no caller called again
            claimed = {row["attendees"][0]["empid"] for row in database["meetings"].find()}
            [again] = await cluster.call([later])

            found = database["jobs"].find({"empid": later.empid})
            jobs = {row["_id"]: row["invitation"] for row in found}
            meetings = {row["_id"]: row for row in database["meetings"].find()}
            assert claimed == {soon.empid}
            assert again.code == "OK"
            assert jobs.keys() == {again.job_id}
            assert meetings.keys() >= {jobs[again.job_id]["meeting"]}
            assert {f"{each}:1" for each in meetings} == {
                row["_id"] for row in database["meeting_revisions"].find()
            }
            assert len(meetings) == 2
