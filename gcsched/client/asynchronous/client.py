"""The client for asyncio."""

from gcsched.client.asynchronous.jobs import AsyncJobMethods
from gcsched.client.asynchronous.records import AsyncRecordMethods
from gcsched.client.asynchronous.scheduling import AsyncSchedulingMethods
from gcsched.client.asynchronous.service import AsyncServiceMethods


class AsyncClient(AsyncSchedulingMethods, AsyncJobMethods, AsyncRecordMethods, AsyncServiceMethods):
    """A connection like `Client`, for asyncio; create it inside the running loop."""
