"""Count the mails that a killed process leaves UNCERTAIN, beside its sessions.

    python -m tests.measure.killed [--kills 30] [--json docs/measurements/killed.json]

One process sends a backlog as fast as it can, and is killed at a random moment again and again.
Right after each kill, a mail whose body may have begun and that has no sent marker is counted: it
will be UNCERTAIN. `problems` lists what was lost, came twice without that, or was not counted.
"""

import argparse
import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from redis.asyncio import Redis

from gcsched.cli.commands.serve import find_loop_factory
from gcsched.pb import task_pb2
from tests.measure.delivery import Figures, a_temporary_folder, run_metadata
from tests.scenarios.cluster import Cluster, a_cluster, quantile
from tests.support.relay.script import repeatable
from tests.support.service_process import a_meet, scheduler_stub
from tests.support.wait import until

BATCH_SIZE = 500
MAILS_PER_KILL = 1_000
WRITES_END_SECONDS = 0.3  # the stores still execute what the process had sent
BEGUN = {"state": "SENDING", "claim": {"$exists": True}, "begun": {"$exists": True}}
Claim = tuple[str, str]


async def measure(folder: Path, options: argparse.Namespace) -> Figures:
    chance, expected = repeatable("killed"), 0
    sessions, uncertain, known = list[int](), list[int](), set[Claim]()
    async with a_cluster(folder, retry_waits_seconds="0.1") as cluster:
        for _ in range(options.kills):
            await schedule(cluster, range(expected, expected + MAILS_PER_KILL))
            expected += MAILS_PER_KILL
            await wait_for_mails(cluster, cluster.count_mails() + chance.randint(50, 700))
            cluster.services[0].freeze()  # so that no session opens between the count and the kill
            sessions.append(count_sessions(cluster))
            await cluster.services[0].kill()
            await asyncio.sleep(WRITES_END_SECONDS)
            found = await find_uncertain(cluster)
            uncertain.append(len(found - known))
            known |= found
            await cluster.services[0].start()
        await until(lambda: cluster.count_recipients() >= expected, within=120, every=0.5)
        await until(lambda: all(is_sent(job) for job in cluster.jobs()), within=60, every=1)
        return {
            "kills": options.kills,
            "mails": expected,
            "sessions": summarize(sessions),
            "uncertain": summarize(uncertain),
            "uncertain_by_session": sorted(
                round(mails / each, 2) for mails, each in zip(uncertain, sessions, strict=True)
            ),
            **judge(cluster, {job_id for job_id, _ in known}, expected),
        }


async def schedule(cluster: Cluster, numbers: range) -> None:
    async with scheduler_stub(cluster.services[0].target) as stub:
        for first in range(numbers.start, numbers.stop, BATCH_SIZE):
            meets = [a_meet(first + each, timestamp=1) for each in range(BATCH_SIZE)]
            await stub.BatchScheduleMeets(task_pb2.BatchScheduleMeetsRequest(requests=meets))


async def wait_for_mails(cluster: Cluster, count: int) -> None:
    await until(lambda: cluster.count_mails() >= count, within=60, every=0.002)


def count_sessions(cluster: Cluster) -> int:
    """Count the established connections to the relay."""
    lines = Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]
    fields = [line.split() for line in lines]
    end = f":{cluster.relay_port:04X}"
    return sum(remote.endswith(end) and state == "01" for _, _, remote, state, *_ in fields)


async def find_uncertain(cluster: Cluster) -> set[Claim]:
    """Return the claims of the mails whose body may have begun and that have no sent marker."""
    with MongoClient[dict[str, Any]](cluster.mongo.uri) as client:
        jobs = client.get_default_database()["jobs"]
        begun = {(each["_id"], each["claim"]) for each in jobs.find(BEGUN, {"claim": 1})}
    async with Redis.from_url(cluster.valkey.uri, decode_responses=True) as redis:
        keys = [key async for key in redis.scan_iter(match="gcsched:sent:*", count=1_000)]
    return begun - {(job, claim) for job, claim in (key.split(":")[2:] for key in keys)}


def is_sent(job: dict[str, Any]) -> bool:
    return bool(job["state"] == "SENT")


def judge(cluster: Cluster, counted: set[str], expected: int) -> Figures:
    copies = Counter(entry["recipient"] for entry in cluster.ledger_entries())
    jobs = cluster.jobs()
    ever = {job["_id"] for job in jobs if any(a["kind"] == "UNCERTAIN" for a in job["attempts"])}
    twice = {job["_id"] for job in jobs if copies[job["email"]] > 1}
    found = [f"{expected - len(copies)} mails are lost"] if len(copies) != expected else []
    found += [f"{each} came twice and was never UNCERTAIN" for each in sorted(twice - ever)]
    found += [f"{each} became UNCERTAIN and was not counted" for each in sorted(ever - counted)]
    return {"ever_uncertain": len(ever), "second_mails": len(twice), "problems": found}


def summarize(values: Sequence[int]) -> Figures:
    ordered = sorted(values)
    return {"least": ordered[0], "p50": quantile(ordered, 0.5), "most": ordered[-1]}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with a_temporary_folder() as folder, asyncio.Runner(loop_factory=find_loop_factory()) as runner:
        seen = {
            "surroundings": run_metadata(),
            **runner.run(measure(folder, options)),
        }
    print(json.dumps(seen))
    if options.json is not None:
        options.json.write_text(json.dumps(seen, indent=1) + "\n")


if __name__ == "__main__":
    main()
