"""What the server itself says of the commands that the adapters made it carry out."""

from collections.abc import Awaitable, Callable

from pymongo.database import Database

from gcsched.adapters.mongo.connection import Mongo
from tests.support.rows import Row

Use = Callable[[Mongo], Awaitable[object]]


async def profile_commands(mongo: Mongo, raw: Database[Row], use: Use) -> list[Row]:
    """Let *use* work, and give the server's profile of every command on jobs and addresses."""
    raw.command("profile", 0)
    raw["system.profile"].drop()
    raw.command("profile", 2)
    await use(mongo)
    raw.command("profile", 0)
    collections = [f"{raw.name}.jobs", f"{raw.name}.suppressions"]
    ours = {"ns": {"$in": collections}, "op": {"$ne": "insert"}}
    return list(raw["system.profile"].find(ours))


def stages(plan: Row) -> list[str]:
    """List the stages of an executed plan, and of all that feed it."""
    feeding = [plan[name] for name in ("inputStage", "queryPlan") if name in plan]
    feeding += plan.get("inputStages", [])
    return [plan["stage"], *(stage for each in feeding for stage in stages(each))]
