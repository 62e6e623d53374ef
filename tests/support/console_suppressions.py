"""Suppressions in the store, written without the code of the console."""

from datetime import UTC, datetime, timedelta

from gcsched.domain.address_folding import fold_address
from tests.support.in_process_app import RunningApp


async def block(
    app: RunningApp,
    address: str,
    *,
    reason: str = "no reason",
    job_id: str = "",
    until: datetime | None = None,
) -> None:
    """Store a suppression since an hour ago, by default for ten days more."""
    now = datetime.now(UTC)
    document = {
        "folded": fold_address(address),
        "reason": reason,
        "job_id": job_id,
        "since": now - timedelta(hours=1),
        "until": until or now + timedelta(days=10, minutes=1),
    }
    await app.resources.mongo.suppressions.replace_one({"_id": address}, document, upsert=True)


async def read_addresses(app: RunningApp) -> list[str]:
    """Return the addresses of all suppressions, in alphabetical order."""
    found = app.resources.mongo.suppressions.find({}, sort=[("_id", 1)])
    return [each["_id"] async for each in found]
