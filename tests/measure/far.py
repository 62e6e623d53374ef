"""Measure a burst to a relay that is 30 ms away, with different numbers of sessions.

    python -m tests.measure.far [--sessions 16] [--mails-per-session 60] [--rounds N]
        [--json docs/measurements/far.json]

A session that sent one mail in each round trip would make sessions / delay mails per second; the
share is what was reached of that. Prints figures and checks nothing.
"""

import argparse
from functools import partial
from pathlib import Path

from tests.measure.bench import Bench, run_bench, run_services
from tests.measure.bursts import measure_burst, run_in_turns
from tests.measure.command_line import build_parser, run_measurement
from tests.measure.delivery import Figures


async def measure(folder: Path, options: argparse.Namespace) -> Figures:
    pinned = not options.unpinned
    with run_bench(folder, reply_delay=options.delay, is_pinned=pinned) as bench:
        work = {str(each): partial(measure_far, bench, each, options) for each in options.sessions}
        return {"far": {"delay_s": options.delay, **await run_in_turns(options.rounds, work)}}


async def measure_far(bench: Bench, sessions: int, options: argparse.Namespace) -> Figures:
    async with run_services(bench, smtp_sessions=str(sessions)):
        burst = await measure_burst(bench, sessions * options.mails_per_session)
    share = burst["mails_per_s"] * options.delay / sessions
    return {"share_of_one_mail_a_round_trip": round(share, 3), **burst}


def main() -> None:
    parser = build_parser(__doc__)
    parser.add_argument("--sessions", type=int, nargs="+", default=[16])
    parser.add_argument("--mails-per-session", type=int, default=60)
    parser.add_argument("--delay", type=float, default=0.03, help="seconds of a round trip")
    run_measurement("tests.measure.far", parser.parse_args(), measure)


if __name__ == "__main__":
    main()
