"""`python -m gcsched serve` that samples where its main thread spends CPU time.

    python -m tests.measure.sampled_service FILE

Every INTERVAL_SECONDS of CPU time it notes which part of the program runs. At SIGUSR1 it writes the
numbers of samples by part to FILE, as JSON, and starts again from zero.
"""

import json
import signal
import sys
from collections import Counter
from pathlib import Path
from types import FrameType

from gcsched.cli.main import main

INTERVAL_SECONDS = 0.002
PARTS = {
    "/gcsched/rpc/": "the call's handler",
    "/gcsched/usecases/admission/": "making the job",
    "/gcsched/usecases/": "use cases",
    "/gcsched/adapters/mail/": "composing",
    "/jinja2/": "composing",
    "/gcsched/adapters/smtp/": "SMTP",
    "/aiosmtplib/": "SMTP",
    "/gcsched/adapters/mongo/": "statements to MongoDB",
    "/bson/": "statements to MongoDB",
    "/pymongo/": "statements to MongoDB",
    "/motor/": "statements to MongoDB",
    "/gcsched/adapters/redis/": "Redis and ARQ",
    "/redis/": "Redis and ARQ",
    "/arq/": "Redis and ARQ",
    "/gcsched/web/": "metrics and log",
    "/prometheus_client/": "metrics and log",
    "/gcsched/logs.py": "metrics and log",
    "/structlog/": "metrics and log",
}
"""Places in the path of a file, and the part that its code belongs to. Code of the domain and of
the standard library belongs to the part that calls it."""
REST = "event loop, gRPC, kernel"
"""No part has a frame: the loop's own code in C, gRPC's, its threads, and system calls."""


def find_part(frame: FrameType | None) -> str:
    """Return the part of the innermost frame that belongs to one."""
    while frame is not None:
        for place, part in PARTS.items():
            if place in frame.f_code.co_filename:
                return part
        frame = frame.f_back
    return REST


def sample_into(file: Path) -> None:
    samples: Counter[str] = Counter()

    def note(_: int, frame: FrameType | None) -> None:
        samples[find_part(frame)] += 1

    def write(_: int, __: FrameType | None) -> None:
        partial = file.with_suffix(".partial")
        partial.write_text(json.dumps(samples), encoding="utf-8")
        partial.rename(file)  # a reader sees all of it or nothing
        samples.clear()

    signal.signal(signal.SIGPROF, note)
    signal.signal(signal.SIGUSR1, write)
    signal.setitimer(signal.ITIMER_PROF, INTERVAL_SECONDS, INTERVAL_SECONDS)


if __name__ == "__main__":
    sample_into(Path(sys.argv[1]))
    sys.exit(main(["serve"]))
