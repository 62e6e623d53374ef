"""How the blocking client calls: one call, a list page by page, many batches, and the end."""

from collections.abc import Iterable, Iterator
from threading import Event
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


class BlockingConnection(Connection):
    """A connection for blocking code and any thread."""

    _api: ClassVar[Any] = grpc
    _new_event: ClassVar[type[Any]] = Event

    def call(self, method: str, request: Message, *, timeout: float | None = None) -> Any:
        """Call any *method* of the contract with its message; return its message.

        The other methods are for most uses; this one is for fields that they do not have. Raises
        CallFailed.

        >>> from gcsched.pb import task_pb2
        >>> gcsched.call("CountJobs", task_pb2.CountJobsRequest()).has_more
        False
        """
        seconds = self._seconds(timeout)
        stub_method = self._method(method, request)
        request = add_request_id(method, request)
        try:
            return stub_method(request, timeout=seconds, metadata=self._token.metadata())
        except grpc.RpcError as error:
            raise self._convert(error, seconds) from error
        except ValueError as error:  # gRPC's error for a channel that was closed meanwhile
            if self._opened.is_closed:
                raise ClientClosed from error
            raise

    def close(self) -> None:
        """Close the connections; calls under way and later ones raise ClientClosed."""
        for each in self._end():
            each.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self, call: Call[T], timeout: float | None) -> T:
        return call.read(self.call(call.method, call.request, timeout=timeout))

    def _iterate(self, listing: Listing[T], timeout: float | None) -> Iterator[T]:
        self._seconds(timeout)  # a wrong argument is reported here, not at the first item
        self._opened.check_open()
        return self._iterate_pages(listing, timeout)

    def _iterate_pages(self, listing: Listing[T], timeout: float | None) -> Iterator[T]:
        has_more = True
        while has_more:
            page = self.call(listing.method, listing.request, timeout=timeout)
            for item in listing.read_page(page):
                self._opened.check_open()
                yield item
            has_more = listing.advance(page)

    def _run_batches(
        self, requests: Iterable[MailRequest], timeout: float | None
    ) -> list[ScheduledJob | CallFailed]:
        self._opened.check_open()
        run = BatchRun(requests)
        while (batch := run.next_batch()) is not None:
            try:
                run.accept(self.call(METHOD, batch, timeout=timeout), self._target)
            except CallFailed as error:
                run.fail(error)
        return run.answers

    def _watch(self) -> Iterator[Health]:
        self._opened.check_open()
        return self._iterate_health()

    def _iterate_health(self) -> Iterator[Health]:
        watched, changes = self._open_watch(), HealthChanges()
        try:
            while not self._closing.wait(changes.wait_seconds):
                yield from self._iterate_stream(watched, changes)
                if not self._closing.is_set():
                    yield from changes.lose()
        finally:
            self._close_watch(watched)

    def _iterate_stream(self, watched: ServiceChannel, changes: HealthChanges) -> Iterator[Health]:
        """Yield the changes of one stream, until it ends or the client closes."""
        try:
            for reply in open_stream(watched.current()):
                yield from changes.receive(reply)
        except (grpc.RpcError, ValueError, ClientClosed) as error:
            if self._closing.is_set() or watched.is_closed:
                return
            if not isinstance(error, grpc.RpcError):
                raise
            if error.code() not in TRANSIENT:
                raise self._convert(error, self._timeout) from error

    def _close_watch(self, watched: ServiceChannel) -> None:
        self._watching.discard(watched)
        for each in watched.end():
            each.close()
