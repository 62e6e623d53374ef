"""Measure the CPU time that the SMTP sessions spend on a mail; print JSON.

    python -m tests.measure.smtp_session PORT [--mails N] [--senders N] [--sessions N]
        [--octets N] [--uvloop]

PORT is the port of a relay that accepts everything; run it as a separate process.
"""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import Any

import uvloop

from gcsched.adapters.smtp.pool import SmtpSessionPool
from gcsched.adapters.smtp.relay_settings import PoolLimits, RelaySettings, Security
from gcsched.domain.mail import Mail
from gcsched.domain.permit import Permit
from gcsched.domain.smtp_reply import Answered


async def grant_permit() -> Permit:
    return Permit(until=time.monotonic() + 25, date=datetime.now(UTC))


def a_mail(number: int, octets: int) -> Mail:
    head = f"From: a@example.org\r\nTo: r{number}@example.org\r\nMessage-ID: <{number}@m>\r\n\r\n"
    line = "Twelve words of invitation to a meeting that begins at ten o'clock.\r\n"
    content = head + line * max(1, (octets - len(head)) // len(line))
    recipient = f"r{number}@example.org"
    return Mail(sender="a@example.org", recipient=recipient, content=content.encode())


async def send_all(pool: SmtpSessionPool, mails: list[Mail]) -> int:
    accepted = 0
    while mails:
        outcome = await pool.send(mails.pop(), grant_permit)
        accepted += isinstance(outcome, Answered) and outcome.reply.code == 250
    return accepted


async def measure(options: argparse.Namespace) -> dict[str, float]:
    relay = RelaySettings(host="127.0.0.1", port=options.port, security=Security.NONE)
    limits = PoolLimits(sessions=options.sessions or options.senders, mails=options.mails)
    mails = [a_mail(number, options.octets) for number in range(options.mails)]
    async with SmtpSessionPool(relay=relay, pool_limits=limits) as pool:
        await asyncio.gather(*(send_all(pool, [mail]) for mail in mails[: options.senders]))
        cpu, wall = time.process_time(), time.perf_counter()
        accepted = await asyncio.gather(*(send_all(pool, mails) for _ in range(options.senders)))
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    sent = sum(accepted)
    return {
        "mails": sent,
        "octets": options.octets,
        "senders": options.senders,
        "cpu_us_per_mail": round(cpu / sent * 1e6, 1),
        "mails_per_second": round(sent / wall),
        "mails_per_cpu_second": round(sent / cpu),
    }


def run(work: Coroutine[Any, Any, dict[str, float]], *, with_uvloop: bool) -> dict[str, float]:
    if with_uvloop:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(work)
    return asyncio.run(work)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("--mails", type=int, default=20_000)
    parser.add_argument("--senders", type=int, default=16)
    parser.add_argument("--sessions", type=int, help="as many as senders, if left out")
    parser.add_argument("--octets", type=int, default=3_000)
    parser.add_argument("--uvloop", action="store_true")
    options = parser.parse_args()
    json.dump(run(measure(options), with_uvloop=options.uvloop), sys.stdout, indent=2)


if __name__ == "__main__":
    main()
