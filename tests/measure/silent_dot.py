"""Measure how long other sessions pause while one mail's final dot is never answered.

    python -m tests.measure.silent_dot [--seconds 15] [--json docs/measurements/silent_dot.json]

50 mails a second are sent through 4 sessions; the relay reads the fifth mail's body and never
answers it. Prints the pauses between the mails of each other session and checks nothing.
"""

import argparse
import asyncio
import json
import logging
from itertools import pairwise
from pathlib import Path

import structlog

from tests.measure.delivery import Figures, a_temporary_folder, run_metadata
from tests.support.in_process_app import make_settings, running_app
from tests.support.relay.server import At, Hang, Relay
from tests.support.service_process import a_meet, scheduler_stub
from tests.support.stores import own_mongod, own_valkey
from tests.support.wait import until

PER_SECOND, SESSIONS, SILENT = 50, 4, 5


async def measure(folder: Path, seconds: int) -> Figures:
    async with (
        own_mongod(folder) as mongod,
        own_valkey(folder) as valkey,
        Relay() as relay,
    ):
        relay.script(At.BODY, Hang(None), nth=SILENT)
        settings = make_settings(
            mongo=mongod.uri,
            redis=valkey.uri,
            relay_port=relay.port,
            smtp_sessions=str(SESSIONS),
            smtp_rate=str(PER_SECOND),
            stop_grace_seconds="1",
        )
        async with running_app(settings) as app, scheduler_stub(app.target) as stub:
            count = PER_SECOND * seconds
            for number in range(count):
                await stub.ScheduleMeet(a_meet(number, timestamp=1))
            await until(lambda: len(relay.ledger) >= count - 1, within=seconds + 30)
            return figures(relay, count)


def figures(relay: Relay, count: int) -> Figures:
    by_session: dict[int, list[float]] = {}
    for kept in relay.ledger:
        by_session.setdefault(kept.session, []).append(kept.time)
    arrivals = sorted(kept.time for kept in relay.ledger)
    pauses = {
        str(session): round(max(b - a for a, b in pairwise(sorted(times))), 3)
        for session, times in by_session.items()
        if len(times) > 1
    }
    return {
        "mails": count,
        "arrived": len(arrivals),
        "silent_since_the_mail": SILENT,
        "mails_by_session": {str(key): len(times) for key, times in by_session.items()},
        "longest_pause_by_session_s": pauses,
        "longest_pause_of_all_s": round(max(b - a for a, b in pairwise(arrivals)), 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=15)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    with a_temporary_folder() as folder:
        measured = asyncio.run(measure(folder, options.seconds))
    print(json.dumps(measured), flush=True)
    if options.json:
        text = json.dumps({"surroundings": run_metadata(), "silent_dot": measured}, indent=1)
        options.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
