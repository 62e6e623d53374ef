"""Measure the CPU time around a mail: decoding it, concluding it, and recording its outcome.

    python -m tests.measure.conclude --old COMMIT [--rounds 7] [--json FILE]

Runs the same steps in this version and in the one of COMMIT (or a folder with a checkout), in turns
and each round in a process of its own. The transport, the composer and the stores do nothing. The
unit is microseconds of CPU time per mail, in batches of 64.
"""

import argparse
import asyncio
import json
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from io import StringIO
from pathlib import Path
from statistics import median
from time import process_time
from typing import Any, cast

import bson
from bson.codec_options import CodecOptions, DatetimeConversion

from gcsched import logs
from gcsched.adapters.mongo.codec import decode_each, encode
from gcsched.adapters.mongo.connection import Mongo
from gcsched.adapters.mongo.outcomes import encode_outcome
from gcsched.domain.retry import RetryPolicy
from gcsched.domain.smtp_reply import Answered, Reply, Stage
from gcsched.usecases.delivery.deliver import ClaimedJob, Deliver
from gcsched.usecases.delivery.leases import Leases
from gcsched.usecases.delivery.outcomes import OutcomeRecorder, SuppressingOutcomes
from gcsched.usecases.delivery.sent_markers import SentMarkers
from gcsched.usecases.monitoring.lateness import Lateness
from gcsched.usecases.ports import ClaimedBatch, Conclusion, SendResult
from gcsched.web.metrics import Metrics
from gcsched.wiring.delivery import make_on_recorded, make_outcome_observer
from tests.support.builders import NOW, FixedClock, a_claimed_job
from tests.support.program_versions import ROOT, Version, current_version, other_version, output

MAILS, REPEATS = 64, 60
TOKEN, RELAY = "c" * 32, "smtp.example.org"
REPLY = "2.0.0 Ok: queued as 4Zk1bQ2vWxz9rKf"
# Versions before this property read their claims with the time zones of the driver.
READS_TIME_ZONES = not hasattr(Mongo, "jobs_without_time_zones")
READING: CodecOptions[Mapping[str, Any]] = CodecOptions(
    tz_aware=READS_TIME_ZONES, datetime_conversion=DatetimeConversion.DATETIME_CLAMP
)

Figures = dict[str, Any]
Steps = Mapping[str, Callable[[], object]]


class Nothing:
    """The transport, composer and stores of the measured steps."""

    def compose(self, _: object) -> None:
        """Compose no mail."""

    async def send(self, *_: object) -> SendResult:
        return SendResult(relay=RELAY, transmission=Answered(Reply.parse(Stage.BODY, 250, REPLY)))

    async def conclude(self, _: Sequence[Conclusion]) -> Sequence[Conclusion]:
        return ()

    def schedule(self, _: object) -> None:
        """Schedule no wake-up."""


NOTHING: Any = Nothing()
JOBS = tuple(a_claimed_job(id=f"{number:032x}", claim=TOKEN) for number in range(MAILS))
STORED = [bson.encode({**encode(job), "lease": NOW}) for job in JOBS]


def read_and_decode() -> None:
    decode_each([bson.decode(octets, READING) for octets in STORED])


def deliver_all() -> list[Conclusion]:
    """Deliver all jobs by a transport that accepts each at once; it never waits."""
    deliver = Deliver(
        composer=NOTHING,
        transport=NOTHING,
        fence=NOTHING,
        policy=RetryPolicy(),
        now=FixedClock(NOW + timedelta(seconds=1.5)),
        chance=lambda: 0.5,
    )
    return [run_to_end(deliver.deliver(ClaimedJob(job=job, token=TOKEN, date=NOW))) for job in JOBS]


def run_to_end(work: Any) -> Any:
    """Return the result of a coroutine that waits for nothing, without an event loop."""
    try:
        work.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError("the coroutine waits")


CONCLUSIONS = deliver_all()


def encode_outcomes() -> None:
    retention = timedelta(days=30)
    bson.encode({"fields": [encode_outcome(each.job, retention)[0] for each in CONCLUSIONS]})


def record_all(sink: StringIO) -> Callable[[], None]:
    """Return the function that records a batch, with everything that follows its write."""
    leases, markers = Leases(NOTHING, capacity=MAILS), SentMarkers(NOTHING)
    observe = make_outcome_observer(Metrics(version="1", relays=[RELAY]), Lateness())
    recorder = OutcomeRecorder(
        SuppressingOutcomes(outcomes=NOTHING, suppressions=NOTHING, duration=timedelta(days=1)),
        on_recorded=make_on_recorded(leases, markers, NOTHING, observe),
    )
    held = ClaimedBatch(token=TOKEN, jobs=JOBS, lease_end=0.0, due_count=MAILS)

    async def record() -> None:
        stop = asyncio.Event()
        stop.set()
        sink.truncate(sink.seek(0))
        leases.add(held)
        for conclusion in CONCLUSIONS:
            markers.add(conclusion)
            recorder.record(conclusion)
        await recorder.run(stop)

    runner = asyncio.Runner()
    return lambda: runner.run(record())


def microseconds_per_mail(work: Callable[[], object]) -> float:
    work()
    start = process_time()
    for _ in range(REPEATS):
        work()
    return (process_time() - start) / REPEATS / MAILS * 1e6


def measure_once() -> dict[str, float]:
    """Measure each step in this process, which has one version of the package."""
    sink = StringIO()
    record = record_all(sink)
    logs.configure("json", "WARNING", sink)
    figures = {
        "read from BSON and decode": microseconds_per_mail(read_and_decode),
        "deliver, without composing and sending": microseconds_per_mail(deliver_all),
        "encode the outcomes to BSON": microseconds_per_mail(encode_outcomes),
        "record, log level WARNING": microseconds_per_mail(record),
    }
    logs.configure("json", "INFO", sink)
    return figures | {"record, log level INFO": microseconds_per_mail(record)}


async def measure_apart(version: Version) -> dict[str, float]:
    """Measure *version* in a process of its own; the tests are those of this commit."""
    path = os.pathsep.join([version.environment["PYTHONPATH"], str(ROOT)])
    environment = {**os.environ, **version.environment, "PYTHONPATH": path}
    found = await output(sys.executable, "-m", "tests.measure.conclude", env=environment)
    return cast("dict[str, float]", json.loads(found))


def spread(times: Sequence[float]) -> dict[str, float]:
    figures = {"median": median(times), "min": min(times), "max": max(times)}
    return {name: round(value, 1) for name, value in figures.items()}


async def compare(old: Version, new: Version, rounds: int) -> Figures:
    runs: dict[str, list[dict[str, float]]] = {"old": [], "new": []}
    for _ in range(rounds):
        for version in (old, new):
            runs[version.name].append(await measure_apart(version))
    return {
        step: {name: spread([run[step] for run in some]) for name, some in runs.items()}
        for step in runs["new"][0]
    }


async def measure(place: str, rounds: int) -> Figures:
    with tempfile.TemporaryDirectory() as folder:
        new, old = await current_version(), await other_version(place, Path(folder))
        figures = await compare(old, new, rounds)
    return {
        "surroundings": {
            "command": f"python -m tests.measure.conclude --old {old.commit}",
            "old": old.commit,
            "new": new.commit,
            "python": platform.python_version(),
        },
        "rounds": rounds,
        "microseconds of CPU per mail": figures,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--old", help="a commit, or a folder with a checkout")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.old is None:
        print(json.dumps(measure_once()))
        return
    figures = json.dumps(asyncio.run(measure(options.old, options.rounds)), indent=1)
    print(figures)
    if options.json is not None:
        options.json.write_text(figures + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
