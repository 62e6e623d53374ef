"""The audit on the store of a test, and its entries as the driver sees them."""

from pymongo.database import Database

from gcsched.adapters.mongo.audit import MongoAudit
from gcsched.adapters.mongo.connection import Mongo
from gcsched.rpc.status import reason_of
from gcsched.usecases.audit import Audit
from gcsched.usecases.ports import Clock
from tests.support.builders import FixedClock
from tests.support.rows import Row


def an_audit(mongo: Mongo, now: Clock | None = None) -> Audit:
    return Audit(store=MongoAudit(mongo=mongo), reason_of=reason_of, now=now or FixedClock())


def read_entries(raw: Database[Row]) -> list[Row]:
    """Return the stored entries, the first act first."""
    return list(raw["audit"].find(sort=[("_id", 1)]))
