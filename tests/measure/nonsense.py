"""Measure a service on a Redis that sends invalid replies, one kind after the other.

    python -m tests.measure.nonsense [--json docs/measurements/nonsense.json]

For each kind, 20 mails are scheduled, half of them due at once and half two seconds later, under a
rate limit, so that every use of Redis is exercised. `problems` lists what was not as expected.
"""

import argparse
import asyncio
import json
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from pymongo import MongoClient

from tests.measure.delivery import Figures, a_temporary_folder, run_metadata
from tests.support.fake_redis import REPLIES, FakeRedis, a_fake_redis
from tests.support.relay.server import Relay
from tests.support.service_process import (
    ServiceProcess,
    a_meet,
    environment,
    running_service,
    scheduler_stub,
)
from tests.support.stores import own_mongod
from tests.support.wait import until

HALF = 10
DEADLINE_SECONDS = 10.0


async def measure(folder: Path) -> Figures:
    async with own_mongod(folder) as mongod, a_fake_redis() as fake, Relay() as relay:
        settings = environment(
            mongo=mongod.uri, redis=fake.url, relay_port=relay.port, smtp_rate="1000"
        )
        async with running_service(folder, settings) as running:
            kinds = {kind: await measure_reply_kind(kind, fake, relay, running) for kind in REPLIES}
            kinds["a flood"] = await measure_reply_kind("a flood", fake, relay, running)
            exit_code = await running.stop()
            events = Counter(json.loads(line)["event"] for line in running.log.splitlines())
        with MongoClient[dict[str, Any]](mongod.uri) as raw:
            jobs = list(raw.get_default_database()["jobs"].find())
    states = Counter(job["state"] for job in jobs)
    doubled = len(relay.ledger) - len(relay.per_recipient)
    arrived = set(relay.per_recipient)
    unsent = [job for job in jobs if job["state"] == "SENT" and job["email"] not in arrived]
    return {
        "kinds": kinds,
        "states": dict(states),
        "mails": len(relay.ledger),
        "second_mails": doubled,
        "sent_without_a_mail": len(unsent),
        "attempts": max(job["attempt"] for job in jobs),
        "exit_code": exit_code,
        "events": dict(events.most_common(12)),
        "problems": [kind for kind, figures in kinds.items() if figures["late_max_s"] > 1.0]
        + [f"{state}: {count}" for state, count in states.items() if state != "SENT"]
        + (["second mails"] if doubled else [])
        + (["sent without a mail"] if unsent else [])
        + ([f"exit code {exit_code}"] if exit_code else []),
    }


async def measure_reply_kind(
    kind: str, fake: FakeRedis, relay: Relay, running: ServiceProcess
) -> Figures:
    """Make Redis reply with *kind*; return how late the mails were at most."""
    fake.floods = kind not in REPLIES
    fake.reply = REPLIES.get(kind, fake.reply)
    fake.drop_all()
    started, before, received = time.time(), len(relay.ledger), len(fake.commands)
    later = int(started) + 2
    number = int(started * 1000) % 1_000_000_000
    dues = {number + n: 1 if n < HALF else later for n in range(2 * HALF)}
    async with scheduler_stub(running.target) as stub:
        for each, due in dues.items():
            await stub.ScheduleMeet(a_meet(each, timestamp=due), timeout=5)
    took = time.time() - started
    await until(lambda: len(relay.ledger) == before + 2 * HALF, within=DEADLINE_SECONDS)
    late = [
        kept.time - max(started + took, due_of(kept.recipient)) for kept in relay.ledger[before:]
    ]
    return {
        "late_max_s": round(max(late), 3),
        "calls_s": round(took, 3),
        "commands": len(fake.commands) - received,
    }


def due_of(recipient: str) -> float:
    return float(recipient.partition("@")[0].rpartition("-")[2])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    command = " ".join(["python -m tests.measure.nonsense", *sys.argv[1:]])
    about = {**run_metadata(), "command": command}
    with a_temporary_folder() as folder:
        seen = {"surroundings": about, **asyncio.run(measure(folder))}
    text = json.dumps(seen, indent=1)
    print(text)
    if options.json:
        options.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
