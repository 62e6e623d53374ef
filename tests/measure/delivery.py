"""Measure whether mails leave on time and once, on real stores, under kills and outages.

    python -m tests.measure.delivery [SCENARIO …] --json docs/measurements/spine.json

Each scenario prints its figures; nothing is checked.
"""

import argparse
import asyncio
import json
import platform
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pymongo import MongoClient

from tests.scenarios.cluster import Call, Cluster, a_cluster, lateness, quantile
from tests.support.service_process import a_meet
from tests.support.wait import until

ROOT = Path(__file__).resolve().parent.parent.parent
Figures = dict[str, Any]


def seconds_from_now(seconds: float) -> int:
    return int(time.time() + seconds)


async def wait_for_mails(cluster: Cluster, count: int, *, within: float) -> dict[str, list[float]]:
    """Wait until *count* recipients have mail, then a moment longer for any duplicates."""
    try:
        await until(lambda: len(cluster.arrivals()) >= count, within=within, every=0.2)
    except AssertionError:
        print(f"  only {len(cluster.arrivals())} of {count} arrived", file=sys.stderr)
    await asyncio.sleep(3)
    return cluster.arrivals()


def mail_figures(cluster: Cluster, count: int) -> Figures:
    """Count what reached the relay, and the duplicates whose jobs were not UNCERTAIN."""
    arrivals = cluster.arrivals()
    double = {recipient for recipient, times in arrivals.items() if len(times) > 1}
    uncertain = cluster.uncertain_recipients()
    return {
        "wanted": count,
        "missing": count - len(arrivals),
        "duplicates": sum(len(times) - 1 for times in arrivals.values()),
        "uncertain_jobs": len(uncertain),
        "duplicates_not_uncertain": len(double - uncertain),
        "states": count_states(cluster),
    }


def count_states(cluster: Cluster) -> dict[str, int]:
    found: dict[str, int] = {}
    for job in cluster.jobs():
        found[job["state"]] = found.get(job["state"], 0) + 1
    return found


def lateness_figures(arrivals: dict[str, list[float]]) -> Figures:
    values = lateness(arrivals)
    return {
        "late_p50_ms": round(quantile(values, 0.5) * 1e3, 1),
        "late_p99_ms": round(quantile(values, 0.99) * 1e3, 1),
        "late_max_ms": round(values[-1] * 1e3, 1),
        "early": sum(value < 0 for value in values),
    }


def call_figures(made: list[Call]) -> Figures:
    took = sorted(call.seconds for call in made)
    return {
        "calls": len(made),
        "failed": sum(call.code != "OK" for call in made),
        "codes": {code: sum(c.code == code for c in made) for code in {c.code for c in made}},
        "call_p50_ms": round(quantile(took, 0.5) * 1e3, 1),
        "call_p99_ms": round(quantile(took, 0.99) * 1e3, 1),
        "call_max_ms": round(took[-1] * 1e3, 1),
    }


async def one_second(folder: Path) -> Figures:
    """Run 200 jobs that are due in the same second."""
    async with a_cluster(folder) as cluster:
        due = seconds_from_now(4)
        await cluster.call(a_meet(n, timestamp=due) for n in range(200))
        arrivals = await wait_for_mails(cluster, 200, within=30)
        return {**lateness_figures(arrivals), **mail_figures(cluster, 200)}


async def steady(folder: Path) -> Figures:
    """Schedule 50 jobs/s for 20 s, each due about 3 s after its call."""
    async with a_cluster(folder) as cluster:
        first_due = seconds_from_now(3)
        requests = (a_meet(n, timestamp=first_due + n // 50) for n in range(1000))
        made = await cluster.call(requests, per_second=50)
        arrivals = await wait_for_mails(cluster, 1000, within=60)
        return {**lateness_figures(arrivals), **call_figures(made), **mail_figures(cluster, 1000)}


async def kill_after_replies(folder: Path) -> Figures:
    """Schedule 300 jobs due in 15 s; SIGKILL the service and both stores after the replies."""
    async with a_cluster(folder) as cluster:
        due = seconds_from_now(15)
        made = await cluster.call(a_meet(n, timestamp=due) for n in range(300))
        await cluster.services[0].kill()
        cluster.mongo.kill()
        cluster.valkey.kill()
        await cluster.mongo.start()
        await cluster.valkey.start()
        await cluster.services[0].start()
        arrivals = await wait_for_mails(cluster, 300, within=90)
        return {**call_figures(made), **lateness_figures(arrivals), **mail_figures(cluster, 300)}


async def kill_while_sending(folder: Path) -> Figures:
    """Schedule 300 jobs due now; SIGKILL the service while it sends, then restart it."""
    async with a_cluster(folder, smtp_sessions="4") as cluster:
        sending = asyncio.ensure_future(cluster.call(a_meet(n, timestamp=1) for n in range(300)))
        await until(lambda: len(cluster.arrivals()) >= 60, within=30, every=0.002)
        await cluster.services[0].kill()
        made = await sending
        accepted = sum(call.code == "OK" for call in made)
        at_kill = len(cluster.arrivals())
        await cluster.services[0].start()
        again = await cluster.call(a_meet(n, timestamp=1) for n in range(300))
        await wait_for_mails(cluster, 300, within=90)
        return {
            "accepted_before_kill": accepted,
            "arrived_at_kill": at_kill,
            "asked_again_failed": call_figures(again)["failed"],
            **mail_figures(cluster, 300),
        }


async def redis_failure(folder: Path, how: str) -> Figures:
    """Make 50 calls/s for 40 s with mails due all the time; Redis fails from second 5 to 25."""
    async with a_cluster(folder) as cluster:
        first_due = seconds_from_now(3)
        requests = (a_meet(n, timestamp=first_due + n // 50) for n in range(2000))
        calling = asyncio.ensure_future(cluster.call(requests, per_second=50))
        await asyncio.sleep(5)
        if how == "killed":
            cluster.valkey.kill()
        elif how == "frozen":
            cluster.valkey.freeze()
        else:
            await cluster.flush_redis()
        await asyncio.sleep(20)
        if how == "killed":
            await cluster.valkey.start()
        elif how == "frozen":
            cluster.valkey.resume()
        made = await calling
        arrivals = await wait_for_mails(cluster, 2000, within=60)
        return {**call_figures(made), **lateness_figures(arrivals), **mail_figures(cluster, 2000)}


async def two_services(folder: Path) -> Figures:
    """Run 2,000 jobs that are due in one second on two services."""
    async with a_cluster(folder, services=2) as cluster:
        due = seconds_from_now(12)
        await cluster.call(a_meet(n, timestamp=due) for n in range(2000))
        arrivals = await wait_for_mails(cluster, 2000, within=60)
        return {
            "sent_by": count_sent_by_service(cluster),
            **lateness_figures(arrivals),
            **mail_figures(cluster, 2000),
        }


def count_sent_by_service(cluster: Cluster) -> list[int]:
    return [each.log.count('"job sent"') for each in cluster.services]


async def pause_one_service(folder: Path) -> Figures:
    """Run two services and freeze one of them for 40 s while it sends."""
    async with a_cluster(folder, services=2, smtp_sessions="4") as cluster:
        due = seconds_from_now(12)
        await cluster.call(a_meet(n, timestamp=due) for n in range(2000))
        await until(lambda: len(cluster.arrivals()) >= 100, within=60, every=0.005)
        cluster.services[0].freeze()
        await asyncio.sleep(40)
        cluster.services[0].signal(signal.SIGCONT)
        await wait_for_mails(cluster, 2000, within=90)
        return {"sent_by": count_sent_by_service(cluster), **mail_figures(cluster, 2000)}


async def identical(folder: Path) -> Figures:
    """Make 200 identical calls at the same time, spread over two services."""
    async with a_cluster(folder, services=2) as cluster:
        made = await cluster.call(a_meet(1, timestamp=seconds_from_now(2)) for _ in range(200))
        await wait_for_mails(cluster, 1, within=30)
        return {
            "job_ids": len({call.job_id for call in made}),
            **call_figures(made),
            **mail_figures(cluster, 1),
        }


async def daily(folder: Path) -> Figures:
    """Queue jobs with timestamp 0; measure the daily run, and the catch-up after a missed one."""
    at = time.gmtime(time.time() + 75)
    run_at = time.time() + 75 - at.tm_sec
    async with a_cluster(folder, daily_at=time.strftime("%H:%M", at)) as cluster:
        await cluster.call(a_meet(n, timestamp=0) for n in range(50))
        await asyncio.sleep(max(0.0, run_at - 1 - time.time()))
        before = len(cluster.arrivals())
        await wait_for_mails(cluster, 50, within=30)
        after = [times[0] - run_at for times in cluster.arrivals().values()]
        await cluster.services[0].stop()
        requeue(cluster)
        await cluster.services[0].start()
        await until(lambda: len(cluster.ledger_entries()) >= 100, within=40, every=0.2)
        await asyncio.sleep(15)
        return {
            "before_the_run": before,
            "seconds_after_the_run_max": round(max(after), 3),
            "made_up": len(cluster.ledger_entries()) - 50,
            "states": count_states(cluster),
        }


def requeue(cluster: Cluster) -> None:
    """Put all jobs back into the daily queue, as if the service was down at today's run."""
    with MongoClient[dict[str, Any]](cluster.mongo.uri) as client:
        database = client.get_default_database()
        database["runs"].delete_many({})
        database["jobs"].update_many(
            {}, [{"$set": {"state": "QUEUED", "due": "$due_at", "attempts": []}}]
        )


SCENARIOS: dict[str, Callable[[Path], Coroutine[Any, Any, Figures]]] = {
    "one_second": one_second,
    "steady": steady,
    "daily": daily,
    "killed_after_replies": kill_after_replies,
    "killed_while_sending": kill_while_sending,
    "redis_killed": lambda folder: redis_failure(folder, "killed"),
    "redis_frozen": lambda folder: redis_failure(folder, "frozen"),
    "redis_flushed": lambda folder: redis_failure(folder, "flushed"),
    "two_services": two_services,
    "one_paused": pause_one_service,
    "identical": identical,
}


@contextmanager
def a_temporary_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="gcsched-measure-") as folder:
        yield Path(folder)


def run_metadata() -> Figures:
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"],  # noqa: S607  # git from the PATH
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    module = getattr(sys.modules["__main__"].__spec__, "name", "tests.measure.delivery")
    return {
        "command": " ".join(["python -m", module, *sys.argv[1:]]),
        "commit": commit.stdout.strip(),
        "python": platform.python_version(),
        "when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", default=list(SCENARIOS))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    figures: Figures = {"surroundings": run_metadata()}
    for name in options.scenarios:
        with a_temporary_folder() as folder:
            figures[name] = asyncio.run(SCENARIOS[name](folder))
        print(name, json.dumps(figures[name]), flush=True)
        if options.json:
            options.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
