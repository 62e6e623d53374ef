"""Error translation for writes, and the probe that shows whether MongoDB confirms any."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import pymongo

from gcsched.adapters.mongo.connection import Mongo, store_errors
from gcsched.adapters.mongo.driver_errors import BLOCKS_ALL_WRITES
from gcsched.adapters.mongo.write_failures import WRITE_FAILURES
from gcsched.errors import StoreRefused, StoreUnavailable
from gcsched.usecases.loops import run_periodically
from gcsched.usecases.monitoring.store_check import EVERY

PROBE_ID = "probe"  # never stored: no run has this id
PROBE_TIMEOUT_SECONDS = 5.0  # as long as `wtimeout` waits for a majority


@contextmanager
def write_errors(doing: str) -> Iterator[None]:
    """Translate the driver's errors as `store_errors` does, and record failed and confirmed writes.

    Only around statements that always write: a success means that a majority confirmed. A refusal
    is recorded here only if it concerns every write; `Refusals` reports the others.
    """
    failures = WRITE_FAILURES.get()
    try:
        with store_errors(doing):
            yield
    except StoreRefused as refused:
        if failures is not None and refused.problem in BLOCKS_ALL_WRITES:
            failures.record_failure(doing, refused.sentence)
        raise
    except StoreUnavailable as error:
        if failures is not None:
            failures.record_failure(doing, error.why)
        raise
    if failures is not None:
        failures.record_success(doing)


async def probe_write(mongo: Mongo) -> None:
    """Send an update that matches nothing; raises StoreUnavailable.

    A majority must still confirm it: MongoDB waits for the latest write before it.
    """
    with write_errors("trying to write"), pymongo.timeout(PROBE_TIMEOUT_SECONDS):
        await mongo.runs.update_one({"_id": PROBE_ID}, {"$set": {"tried": True}})


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteProbe:
    """The probe that writes while it is in doubt whether writes are confirmed."""

    mongo: Mongo

    async def run(self, stop: asyncio.Event) -> None:
        await run_periodically(self.check, every=EVERY, stop=stop)

    async def check(self) -> None:
        if self.mongo.write_failures.needs_probe:
            with suppress(StoreUnavailable):
                await probe_write(self.mongo)
