"""Count what MongoDB examines for a claim and for a sweep, by its own profile of the statements."""

from datetime import UTC, datetime, timedelta
from typing import Any

from pymongo import MongoClient

from gcsched.adapters.mongo.claims import MongoClaims
from gcsched.adapters.mongo.codec import encode
from gcsched.adapters.mongo.connection import Mongo, open_mongo
from gcsched.adapters.mongo.recovery import MongoRecovery
from gcsched.domain.ids import new_id
from gcsched.usecases.recovery.sweep import MAX_BATCH_SIZE
from gcsched.usecases.wakeups import HORIZON
from tests.measure.delivery import Figures
from tests.measure.filling import a_waiting_job
from tests.support.mongo_profile import profile_commands
from tests.support.rows import Row

DUE_JOBS, CLAIM_SIZE = 5_000, 64
EMPLOYEE = "EMP-examined"


async def count_examined(uri: str) -> Figures:
    """Return keys and documents examined: with nothing due, and with DUE_JOBS due jobs.

    No service may run meanwhile: the profile has everybody's statements.
    """
    with MongoClient[Row](uri, tz_aware=True) as client:
        raw = client.get_default_database()
        async with open_mongo(uri) as mongo:
            await mongo.prepare()
            idle = await profile_both(mongo, raw)
            raw["jobs"].insert_many([encode_due_job(number) for number in range(DUE_JOBS)])
            due = await profile_both(mongo, raw)
        raw["jobs"].delete_many({"empid": EMPLOYEE})
        raw["system.profile"].drop()
    return {"nothing_due": idle, f"{DUE_JOBS}_due": due}


def encode_due_job(number: int) -> Row:
    now = datetime.now(UTC)
    job = a_waiting_job(new_id(now), f"examined {number}", EMPLOYEE[3:], now, now)
    return encode(job)


async def profile_both(mongo: Mongo, raw: Any) -> Figures:
    steps = {"claim": claim_and_release, "sweep": sweep}
    return {name: summarize(await profile_commands(mongo, raw, use)) for name, use in steps.items()}


async def claim_and_release(mongo: Mongo) -> None:
    """Claim as the engine does, and release again, so that the next step finds the same jobs."""
    claims = MongoClaims(mongo=mongo)
    token = new_id(datetime.now(UTC))
    await claims.claim(token, CLAIM_SIZE, now=datetime.now(UTC))
    await claims.release([token])


async def sweep(mongo: Mongo) -> None:
    """Read all that a sweep reads in MongoDB, in its order."""
    now = datetime.now(UTC)
    recovery = MongoRecovery(
        mongo=mongo, retention=timedelta(days=30), now=lambda: datetime.now(UTC)
    )
    await recovery.repair(MAX_BATCH_SIZE)
    await recovery.check_unreadable(MAX_BATCH_SIZE)
    await recovery.find_orphans(MAX_BATCH_SIZE)
    await recovery.find_expired(MAX_BATCH_SIZE)
    await MongoClaims(mongo=mongo).has_due_jobs(now=now)
    await recovery.find_due_seconds(now, now + HORIZON)


def summarize(profile: list[Row]) -> Figures:
    """Return what the statements examined together."""
    return {
        "statements": len(profile),
        "keys_examined": sum(int(each.get("keysExamined", 0)) for each in profile),
        "documents_examined": sum(int(each.get("docsExamined", 0)) for each in profile),
        "milliseconds": sum(int(each.get("millis", 0)) for each in profile),
    }
