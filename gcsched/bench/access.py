"""Whether a caller may make all calls of a load test, found out before anything is scheduled."""

import secrets
import time
from collections.abc import Iterable
from contextlib import suppress

from gcsched.bench.rounds import FAR_SECONDS
from gcsched.bench.scenario import Scenario, ScenarioKind
from gcsched.client import AsyncClient, CallFailed, NotFound, State, View

NOTE = (
    "Nothing was scheduled. A load test needs the scopes schedule and bulk, mixed also steer; for"
    " mails a token with the scope read needs content as well."
)
"""A token without `read` reads the histories of its own jobs, with `read` those of all clients."""


async def check_access(
    client: AsyncClient, scenarios: Iterable[Scenario], *, run: str, domain: str
) -> None:
    """Make one call of each kind that *scenarios* need; none of them changes anything.

    Raises CallFailed with a note on the scopes.
    """
    kinds = {each.kind for each in scenarios}
    empid, email = f"bench-{run}-0", f"{run}-0@{domain}"
    try:
        due = int(time.time() + FAR_SECONDS)
        await client.validate(empid=empid, email=email, message="Load test", at=due)
        await client.cancel_jobs(empid=empid, validate_only=True)
        if ScenarioKind.MAILS in kinds:
            await client.count_jobs(state=State.SCHEDULED, due_time_from=due)
            async for _ in client.list_jobs(empid=empid, view=View.FULL, page_size=1):
                pass
        if ScenarioKind.MIXED in kinds:
            for call in (client.get_job, client.cancel):
                with suppress(NotFound):
                    await call(secrets.token_hex(16))
    except CallFailed as error:
        if error.reason == "SCOPE_MISSING":
            error.add_note(NOTE)
        raise
