"""MongoDB's own profile of the commands that the adapters send."""

from collections.abc import Awaitable, Callable

from pymongo.database import Database

from gcsched.adapters.mongo.connection import Mongo
from tests.support.rows import Row

Use = Callable[[Mongo], Awaitable[object]]


async def profile_commands(mongo: Mongo, raw: Database[Row], use: Use) -> list[Row]:
    """Run *use*, and return the server's profile of all its commands on these collections."""
    raw.command("profile", 0)
    raw["system.profile"].drop()
    raw.command("profile", 2)
    await use(mongo)
    raw.command("profile", 0)
    names = ("jobs", "suppressions", "meetings", "meeting_revisions")
    collections = [f"{raw.name}.{name}" for name in names]
    query = {"ns": {"$in": collections}, "op": {"$ne": "insert"}}
    return list(raw["system.profile"].find(query))


def stages(plan: Row) -> list[str]:
    """Return the stages of an executed plan and of its input plans."""
    inputs = [plan[name] for name in ("inputStage", "queryPlan") if name in plan]
    inputs += plan.get("inputStages", [])
    return [plan["stage"], *(stage for each in inputs for stage in stages(each))]
