"""Measure the promises of the main job on real stores, under kills and outages.

    python -m tests.measure.delivery [SCENARIO …] --json docs/measurements/spine.json

Each scenario prints what was seen; nothing is judged here.
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


async def wait_for_mails(stage: Cluster, count: int, *, within: float) -> dict[str, list[float]]:
    """Wait until *count* recipients have mail, then a moment longer for any duplicates."""
    try:
        await until(lambda: len(stage.arrivals()) >= count, within=within, every=0.2)
    except AssertionError:
        print(f"  only {len(stage.arrivals())} of {count} arrived", file=sys.stderr)
    await asyncio.sleep(3)
    return stage.arrivals()


def mail_figures(stage: Cluster, count: int) -> Figures:
    """Tell what reached the relay, and whether each duplicate was UNCERTAIN."""
    arrivals = stage.arrivals()
    double = {recipient for recipient, times in arrivals.items() if len(times) > 1}
    uncertain = stage.uncertain_recipients()
    return {
        "wanted": count,
        "missing": count - len(arrivals),
        "duplicates": sum(len(times) - 1 for times in arrivals.values()),
        "uncertain_jobs": len(uncertain),
        "duplicates_not_uncertain": len(double - uncertain),
        "states": states(stage),
    }


def states(stage: Cluster) -> dict[str, int]:
    found: dict[str, int] = {}
    for job in stage.jobs():
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
    """200 jobs due in the same coming second."""
    async with a_cluster(folder) as stage:
        due = seconds_from_now(4)
        await stage.call(a_meet(n, timestamp=due) for n in range(200))
        arrivals = await wait_for_mails(stage, 200, within=30)
        return {**lateness_figures(arrivals), **mail_figures(stage, 200)}


async def steady(folder: Path) -> Figures:
    """50 jobs/s for 20 s, each due some seconds after its call."""
    async with a_cluster(folder) as stage:
        begin = seconds_from_now(3)
        requests = (a_meet(n, timestamp=begin + n // 50) for n in range(1000))
        made = await stage.call(requests, per_second=50)
        arrivals = await wait_for_mails(stage, 1000, within=60)
        return {**lateness_figures(arrivals), **call_figures(made), **mail_figures(stage, 1000)}


async def kill_after_replies(folder: Path) -> Figures:
    """300 jobs due 15 s later; SIGKILL of service and both stores right after the replies."""
    async with a_cluster(folder) as stage:
        due = seconds_from_now(15)
        made = await stage.call(a_meet(n, timestamp=due) for n in range(300))
        await stage.services[0].kill()
        stage.mongo.kill()
        stage.valkey.kill()
        await stage.mongo.start()
        await stage.valkey.start()
        await stage.services[0].start()
        arrivals = await wait_for_mails(stage, 300, within=90)
        return {**call_figures(made), **lateness_figures(arrivals), **mail_figures(stage, 300)}


async def kill_while_sending(folder: Path) -> Figures:
    """300 jobs due now; SIGKILL of the service in the middle of sending, then a restart."""
    async with a_cluster(folder, smtp_sessions="4") as stage:
        sending = asyncio.ensure_future(stage.call(a_meet(n, timestamp=1) for n in range(300)))
        await until(lambda: len(stage.arrivals()) >= 60, within=30, every=0.002)
        await stage.services[0].kill()
        made = await sending
        accepted = sum(call.code == "OK" for call in made)
        at_kill = len(stage.arrivals())
        await stage.services[0].start()
        again = await stage.call(a_meet(n, timestamp=1) for n in range(300))
        await wait_for_mails(stage, 300, within=90)
        return {
            "accepted_before_kill": accepted,
            "arrived_at_kill": at_kill,
            "asked_again_failed": call_figures(again)["failed"],
            **mail_figures(stage, 300),
        }


async def redis_failure(folder: Path, trouble: str) -> Figures:
    """50 calls/s for 40 s with mails due all the time; trouble from second 5 to second 25."""
    async with a_cluster(folder) as stage:
        begin = seconds_from_now(3)
        requests = (a_meet(n, timestamp=begin + n // 50) for n in range(2000))
        calling = asyncio.ensure_future(stage.call(requests, per_second=50))
        await asyncio.sleep(5)
        if trouble == "killed":
            stage.valkey.kill()
        elif trouble == "frozen":
            stage.valkey.freeze()
        else:
            await stage.flush_redis()
        await asyncio.sleep(20)
        if trouble == "killed":
            await stage.valkey.start()
        elif trouble == "frozen":
            stage.valkey.resume()
        made = await calling
        arrivals = await wait_for_mails(stage, 2000, within=60)
        return {**call_figures(made), **lateness_figures(arrivals), **mail_figures(stage, 2000)}


async def two_services(folder: Path) -> Figures:
    """2,000 jobs due in one second on two services."""
    async with a_cluster(folder, services=2) as stage:
        due = seconds_from_now(12)
        await stage.call(a_meet(n, timestamp=due) for n in range(2000))
        arrivals = await wait_for_mails(stage, 2000, within=60)
        return {
            "sent_by": count_sent_by_service(stage),
            **lateness_figures(arrivals),
            **mail_figures(stage, 2000),
        }


def count_sent_by_service(stage: Cluster) -> list[int]:
    return [each.log.count('"job sent"') for each in stage.services]


async def pause_one_service(folder: Path) -> Figures:
    """Two services, one of them SIGSTOPped for 40 s while it sends, then SIGCONT."""
    async with a_cluster(folder, services=2, smtp_sessions="4") as stage:
        due = seconds_from_now(12)
        await stage.call(a_meet(n, timestamp=due) for n in range(2000))
        await until(lambda: len(stage.arrivals()) >= 100, within=60, every=0.005)
        stage.services[0].freeze()
        await asyncio.sleep(40)
        stage.services[0].signal(signal.SIGCONT)
        await wait_for_mails(stage, 2000, within=90)
        return {"sent_by": count_sent_by_service(stage), **mail_figures(stage, 2000)}


async def identical(folder: Path) -> Figures:
    """200 identical calls at the same moment, spread over two services."""
    async with a_cluster(folder, services=2) as stage:
        made = await stage.call(a_meet(1, timestamp=seconds_from_now(2)) for _ in range(200))
        await wait_for_mails(stage, 1, within=30)
        return {
            "job_ids": len({call.job_id for call in made}),
            **call_figures(made),
            **mail_figures(stage, 1),
        }


async def daily(folder: Path) -> Figures:
    """Timestamp 0: nothing before the daily run, everything after it; a missed run is made up."""
    at = time.gmtime(time.time() + 75)
    run_at = time.time() + 75 - at.tm_sec
    async with a_cluster(folder, daily_at=time.strftime("%H:%M", at)) as stage:
        await stage.call(a_meet(n, timestamp=0) for n in range(50))
        await asyncio.sleep(max(0.0, run_at - 1 - time.time()))
        before = len(stage.arrivals())
        await wait_for_mails(stage, 50, within=30)
        after = [times[0] - run_at for times in stage.arrivals().values()]
        await stage.services[0].stop()
        requeue(stage)
        await stage.services[0].start()
        await until(lambda: len(stage.ledger_entries()) >= 100, within=40, every=0.2)
        await asyncio.sleep(15)
        return {
            "before_the_run": before,
            "seconds_after_the_run_max": round(max(after), 3),
            "made_up": len(stage.ledger_entries()) - 50,
            "states": states(stage),
        }


def requeue(stage: Cluster) -> None:
    """Put all jobs back as if today's run had been missed while the service was down."""
    with MongoClient[dict[str, Any]](stage.mongo.uri) as client:
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
    return {
        "command": " ".join(["python -m tests.measure.delivery", *sys.argv[1:]]),
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
