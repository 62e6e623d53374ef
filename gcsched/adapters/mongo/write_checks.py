"""Translate the errors of writes, and find out whether MongoDB confirms any."""

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

PROBE_ID = "probe"  # of the runs, whose ids are other words: it is never stored
PROBE_TIMEOUT_SECONDS = 5.0  # as long as a majority is waited for


@contextmanager
def write_errors(doing: str) -> Iterator[None]:
    """Translate the driver's errors as `store_errors` does, around what always writes.

    A refusal is noted as a failure only where it concerns every write; else `Refusals` tells it.
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
    """Ask for a write that finds nothing to change; raises StoreUnavailable.

    A majority must confirm it all the same: MongoDB waits for what was written last before it.
    """
    with write_errors("trying to write"), pymongo.timeout(PROBE_TIMEOUT_SECONDS):
        await mongo.runs.update_one({"_id": PROBE_ID}, {"$set": {"tried": True}})


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteProbe:
    """Try to write where that is in doubt, one try at a time; what fails is noted."""

    mongo: Mongo

    async def run(self, stop: asyncio.Event) -> None:
        await run_periodically(self.check, every=EVERY, stop=stop)

    async def check(self) -> None:
        if self.mongo.write_failures.needs_probe:
            with suppress(StoreUnavailable):
                await probe_write(self.mongo)
