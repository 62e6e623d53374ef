"""How the asyncio client calls: one call, a list page by page, many batches, and the end."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from typing import Any, ClassVar, Self, TypeVar

import grpc
from google.protobuf.message import Message

from gcsched.client.calls.batches import METHOD, BatchRun
from gcsched.client.calls.call import Call, Listing
from gcsched.client.calls.scheduling import MailRequest
from gcsched.client.channel import ServiceChannel
from gcsched.client.connection import Connection, add_request_id
from gcsched.client.errors import CallFailed, ClientClosed
from gcsched.client.health import TRANSIENT, HealthChanges, open_stream
from gcsched.client.results.jobs import ScheduledJob
from gcsched.client.values import Health

T = TypeVar("T")
ENDS = (grpc.aio.AioRpcError, grpc.aio.UsageError, asyncio.CancelledError)
"""How a call ends without a reply; the last two also when its channel is closed."""


class AsyncConnection(Connection):
    """A connection for the coroutines of one event loop."""

    _api: ClassVar[Any] = grpc.aio
    _new_event: ClassVar[type[Any]] = asyncio.Event
    _loop: asyncio.AbstractEventLoop | None = None

    async def call(self, method: str, request: Message, *, timeout: float | None = None) -> Any:
        """Do what Client.call does."""
        seconds = self._seconds(timeout)
        self._check_loop()
        stub_method = self._method(method, request)
        request = add_request_id(method, request)
        try:
            return await stub_method(request, timeout=seconds, metadata=self._token.metadata())
        except ENDS as error:
            if isinstance(error, grpc.aio.AioRpcError):
                raise self._convert(error, seconds) from error
            if self._opened.is_closed and not is_cancelled():
                raise ClientClosed from error
            raise

    async def close(self) -> None:
        """Do what Client.close does."""
        for each in self._end():
            await each.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _run(self, call: Call[T], timeout: float | None) -> T:
        return call.read(await self.call(call.method, call.request, timeout=timeout))

    def _iterate(self, listing: Listing[T], timeout: float | None) -> AsyncIterator[T]:
        self._seconds(timeout)  # a wrong argument is reported here, not at the first item
        self._opened.check_open()
        return self._iterate_pages(listing, timeout)

    async def _iterate_pages(self, listing: Listing[T], timeout: float | None) -> AsyncIterator[T]:
        has_more = True
        while has_more:
            page = await self.call(listing.method, listing.request, timeout=timeout)
            for item in listing.read_page(page):
                self._opened.check_open()
                yield item
            has_more = listing.advance(page)

    async def _run_batches(
        self, requests: Iterable[MailRequest], timeout: float | None
    ) -> list[ScheduledJob | CallFailed]:
        self._opened.check_open()
        run = BatchRun(requests)
        while (batch := run.next_batch()) is not None:
            try:
                run.accept(await self.call(METHOD, batch, timeout=timeout), self._target)
            except CallFailed as error:
                run.fail(error)
        return run.answers

    def _check_loop(self) -> None:
        """Remember the running loop; raise RuntimeError in another one: gRPC would hang there."""
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = loop
        if self._loop is not loop:
            raise RuntimeError("this client belongs to another event loop; create one for each")

    def _watch(self) -> AsyncIterator[Health]:
        self._opened.check_open()
        return self._iterate_health()

    async def _iterate_health(self) -> AsyncIterator[Health]:
        self._check_loop()
        watched, changes = self._open_watch(), HealthChanges()
        try:
            while not await self._is_closing_within(changes.wait_seconds):
                async for health in self._iterate_stream(watched, changes):
                    yield health
                if not self._closing.is_set():
                    for health in changes.lose():
                        yield health
        finally:
            await self._close_watch(watched)

    async def _iterate_stream(
        self, watched: ServiceChannel, changes: HealthChanges
    ) -> AsyncIterator[Health]:
        """Yield the changes of one stream, until it ends or the client closes."""
        try:
            async for reply in open_stream(watched.current()):
                for health in changes.receive(reply):
                    yield health
        except (*ENDS, ClientClosed) as error:
            if is_cancelled():
                raise
            if self._closing.is_set() or watched.is_closed:
                return
            if not isinstance(error, grpc.aio.AioRpcError):
                raise
            if error.code() not in TRANSIENT:
                raise self._convert(error, self._timeout) from error

    async def _is_closing_within(self, seconds: float) -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._closing.wait()
        return bool(self._closing.is_set())

    async def _close_watch(self, watched: ServiceChannel) -> None:
        self._watching.discard(watched)
        for each in watched.end():
            await each.close()


def is_cancelled() -> bool:
    """Return whether the caller cancels this task: then gRPC's CancelledError is the task's."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
