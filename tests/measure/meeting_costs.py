"""Measure what a large meeting costs: create, move and cancel it, with its reminders.

    python -m tests.measure.meeting_costs [--attendees 100] [--reminders 5] [--json FILE]

The default file is docs/measurements/meeting_costs.json. One service on stores of its own. The
mails of each change have been sent before the next call. `operations` are what mongod counted while
the call lasted: one for each document that is written, and one for each other command; the bytes
are those that it received and sent.
"""

import argparse
import asyncio
import json
import statistics
import sys
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from google.protobuf.field_mask_pb2 import FieldMask
from pymongo import MongoClient

from gcsched.cli.commands.serve import find_loop_factory
from gcsched.pb import task_pb2
from tests.measure.delivery import Figures, a_temporary_folder, run_metadata
from tests.scenarios.cluster import Cluster, a_cluster
from tests.support.service_process import Stub, scheduler_stub
from tests.support.wait import until

COMMAND = " ".join(["python -m tests.measure.meeting_costs", *sys.argv[1:]])
LABELS = {"bytesIn": "bytes_received", "bytesOut": "bytes_sent"}
WAITING = {"SCHEDULED", "RETRYING", "SENDING"}


async def measure(folder: Path, options: argparse.Namespace) -> None:
    rounds = list[Figures]()
    settings = {"meeting_settle": "0"}
    async with (
        a_cluster(folder, services=1, **settings) as cluster,
        scheduler_stub(cluster.services[0].target) as stub,
    ):
        for number in range(options.rounds + 1):
            found = await measure_meeting(cluster, stub, number, options)
            if number:  # the first one warms up
                rounds.append(found)
                print(json.dumps(found), flush=True)
    report = {
        "surroundings": {**run_metadata(), "command": COMMAND},
        "attendees": options.attendees,
        "reminders": options.reminders,
        "medians": {
            act: {
                name: statistics.median(each[act][name] for each in rounds)
                for name in rounds[0][act]
            }
            for act in rounds[0]
        },
        "rounds": rounds,
    }
    print(json.dumps(report["medians"], indent=1))
    if options.json is not None:
        options.json.write_text(json.dumps(report, indent=1) + "\n")


async def measure_meeting(
    cluster: Cluster, stub: Stub, number: int, options: argparse.Namespace
) -> Figures:
    start = datetime.now(UTC).replace(second=0, microsecond=0) + timedelta(days=20)
    meeting = task_pb2.Meeting(
        summary="Review",
        start=format_wall(start),
        time_zone="UTC",
        location="Room 5",
        description="What we have, and what is missing. " * 10,
        attendees=[
            task_pb2.Attendee(email=f"a{number}-{each}@example.com", name=f"Attendee {each}")
            for each in range(options.attendees)
        ],
    )
    meeting.duration.FromTimedelta(timedelta(minutes=30))
    for each in range(options.reminders):
        meeting.reminders.add().before.FromTimedelta(timedelta(hours=each + 1))
    found: Figures = {}
    create = stub.CreateMeeting(task_pb2.CreateMeetingRequest(meeting=meeting), timeout=60)
    created, found["create"] = await time_call(cluster, create)
    await wait_for_mails(cluster, reminders=options.attendees * options.reminders)
    move = task_pb2.UpdateMeetingRequest(
        meeting=task_pb2.Meeting(
            meeting_id=created.meeting_id, start=format_wall(start + timedelta(hours=5))
        ),
        update_mask=FieldMask(paths=["start"]),
    )
    _, found["move"] = await time_call(cluster, stub.UpdateMeeting(move, timeout=60))
    await wait_for_mails(cluster, reminders=options.attendees * options.reminders)
    cancel = task_pb2.CancelMeetingRequest(meeting_id=created.meeting_id)
    _, found["cancel"] = await time_call(cluster, stub.CancelMeeting(cancel, timeout=60))
    await wait_for_mails(cluster, reminders=0)
    return found


async def time_call(cluster: Cluster, call: Awaitable[Any]) -> tuple[Any, Figures]:
    async with count_work(cluster) as work:
        begun = time.perf_counter()
        answer = await call
        work["seconds"] = round(time.perf_counter() - begun, 4)
    return answer, work


@asynccontextmanager
async def count_work(cluster: Cluster) -> AsyncIterator[Figures]:
    with MongoClient[dict[str, Any]](cluster.mongo.uri) as client:
        before = client.admin.command("serverStatus")
        work: Figures = {}
        yield work
        after = client.admin.command("serverStatus")
    names = ("insert", "update", "delete", "query", "getmore", "command")
    work["operations"] = sum(after["opcounters"][n] - before["opcounters"][n] for n in names)
    for name, label in LABELS.items():
        work[label] = after["network"][name] - before["network"][name]


async def wait_for_mails(cluster: Cluster, *, reminders: int) -> None:
    """Wait until invitations, updates and cancellations were sent, and *reminders* wait."""

    def are_sent() -> bool:
        open_jobs = [job for job in cluster.jobs() if job["state"] in WAITING]
        waiting = [job for job in open_jobs if find_purpose(job) == "REMINDER"]
        return len(waiting) == reminders == len(open_jobs)

    await until(are_sent, within=60, every=0.5)


def find_purpose(job: dict[str, Any]) -> str:
    return str(job.get("meeting_mail", {}).get("purpose", "INVITATION"))


def format_wall(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--attendees", type=int, default=100)
    parser.add_argument("--reminders", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    with a_temporary_folder() as folder, asyncio.Runner(loop_factory=find_loop_factory()) as runner:
        runner.run(measure(folder, parser.parse_args()))


if __name__ == "__main__":
    main()
