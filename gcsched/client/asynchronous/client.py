"""The client for asyncio."""

from gcsched.client.asynchronous.jobs import AsyncJobMethods
from gcsched.client.asynchronous.meetings import AsyncMeetingMethods
from gcsched.client.asynchronous.records import AsyncRecordMethods
from gcsched.client.asynchronous.scheduling import AsyncSchedulingMethods
from gcsched.client.asynchronous.service import AsyncServiceMethods


class AsyncClient(
    AsyncSchedulingMethods,
    AsyncJobMethods,
    AsyncMeetingMethods,
    AsyncRecordMethods,
    AsyncServiceMethods,
):
    """A connection like `Client`, for asyncio; one event loop can use it.

    The methods are those of Client, as coroutines. Lists and watch_health are for ``async for``:

    >>> async def list_empids() -> list[str]:
    ...     async with AsyncClient() as gcsched:
    ...         await gcsched.schedule(
    ...             empid="E7", email="ada@example.org", message="Lunch", at=DAILY
    ...         )
    ...         return [job.empid async for job in gcsched.list_jobs(empid="E7")]
    >>> asyncio.run(list_empids())
    ['E7']
    """
