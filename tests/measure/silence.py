"""Measure how late mails are when the first of two relays falls silent.

    python -m tests.measure.silence [STAGE …] [--seconds 100] [--json FILE]

Ten mails a second are scheduled; after ten seconds the first relay stops answering from STAGE on:
at CONNECT it only accepts connections, at MAIL and BODY the open sessions fall silent. The time
limits are those of a service in production.
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
from tests.scenarios.cluster import quantile
from tests.support.relay.server import At, Hang, KeptMail, Relay
from tests.support.service_process import a_meet, environment, running_service, scheduler_stub
from tests.support.stores import own_mongod, own_valkey

PER_SECOND, BEFORE_SECONDS = 10, 10
STAGES = (At.CONNECT, At.MAIL, At.BODY)


async def measure(folder: Path, stage: At, seconds: int) -> Figures:
    async with (
        own_mongod(folder) as mongod,
        own_valkey(folder) as valkey,
        Relay() as first,
        Relay() as second,
    ):
        settings = environment(
            mongo=mongod.uri,
            redis=valkey.uri,
            relay_port=first.port,
            fallback_smtp_host="127.0.0.1",
            fallback_smtp_port=str(second.port),
            fallback_smtp_security="none",
            stop_grace_seconds="1",
        )
        async with (
            running_service(folder, settings) as running,
            scheduler_stub(running.target) as stub,
        ):
            started, scheduled = time.time(), {}
            for number in range(seconds * PER_SECOND):
                await asyncio.sleep(max(0.0, started + number / PER_SECOND - time.time()))
                if number == BEFORE_SECONDS * PER_SECOND:
                    silence_relay(first, stage)
                meet = a_meet(number, timestamp=1)
                scheduled[meet.emailID] = time.time()
                await stub.ScheduleMeet(meet, timeout=5)
            # By then a mail that probed the first relay has gone on to the second.
            await asyncio.sleep(45)
            await running.stop()
        with MongoClient[dict[str, Any]](mongod.uri) as raw:
            states = Counter(job["state"] for job in raw.get_default_database()["jobs"].find())
    return figures(first.ledger + second.ledger, scheduled, started + BEFORE_SECONDS) | {
        "states": dict(states),
        "by_first": len(first.ledger),
        "by_second": len(second.ledger),
    }


def silence_relay(relay: Relay, stage: At) -> None:
    order = list(At)
    for at in order[order.index(stage) :]:
        relay.script(at, Hang())
    if stage is At.CONNECT:
        relay.drop_all()


def figures(kept: list[KeptMail], scheduled: dict[str, float], since: float) -> Figures:
    late = sorted(each.time - scheduled[each.recipient] for each in kept if each.time >= since)
    return {
        "asked": len(scheduled),
        "arrived": len({each.recipient for each in kept}),
        "second_mails": len(kept) - len({each.recipient for each in kept}),
        "late_p50_s": round(quantile(late, 0.5), 2),
        "late_p90_s": round(quantile(late, 0.9), 2),
        "late_max_s": round(late[-1], 2),
        "later_than_25_s": sum(each > 25 for each in late),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stages", nargs="*", metavar="STAGE", default=list(STAGES))
    parser.add_argument("--seconds", type=int, default=100)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    command = " ".join(["python -m tests.measure.silence", *sys.argv[1:]])
    seen: Figures = {"surroundings": {**run_metadata(), "command": command}}
    for stage in options.stages:
        with a_temporary_folder() as folder:
            seen[stage] = asyncio.run(measure(folder, At(stage), options.seconds))
        print(stage, json.dumps(seen[stage]), flush=True)
    if options.json:
        options.json.write_text(json.dumps(seen, indent=1) + "\n")


if __name__ == "__main__":
    main()
