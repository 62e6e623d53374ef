"""The channel of a client, which is replaced when the files of its TLS change."""

from contextlib import suppress
from threading import Lock
from typing import Any, TypeAlias

import grpc

from gcsched.client.errors import ClientClosed
from gcsched.client.tls import Tls
from gcsched.pb import task_pb2_grpc

RECONNECTS: list[tuple[str, Any]] = [
    # gRPC's own first wait is 1 s: all five attempts would fail before a second connect.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
]
Credentials: TypeAlias = "grpc.ChannelCredentials | Tls | None"


class ServiceChannel:
    """A channel to *target* by gRPC's blocking or asyncio *api*.

    gRPC itself reads no file again: with a certificate that lasts for an hour, a channel could not
    connect any more. Files that cannot be used leave the channel as it is.
    """

    def __init__(
        self, api: Any, target: str, credentials: Credentials, options: list[tuple[str, Any]]
    ) -> None:
        self._api, self._target, self._options = api, target, options
        self._tls = credentials if isinstance(credentials, Tls) else None
        self._lock = Lock()  # the blocking client is for any thread
        self._previous: Any = None
        self.is_closed = False
        if isinstance(credentials, Tls):
            with suppress(OSError):  # reading it says what is wrong
                self._stamps = credentials.read_stamps()
            self._options = [*options, *credentials.channel_options()]
            credentials = credentials.read_credentials()
        self._use(credentials)

    def stub(self) -> Any:
        """Return the methods of the service, over the channel of now. Raises ClientClosed."""
        self.current()
        return self._stub

    def current(self) -> Any:
        """Return the channel of now. Raises ClientClosed."""
        self.check_open()
        if self._tls is not None:
            self._replace_if_changed(self._tls)
        return self._channel

    def check_open(self) -> None:
        """Raise ClientClosed after `end`."""
        if self.is_closed:
            raise ClientClosed

    def end(self) -> list[Any]:
        """Open no other channel; return all that have to be closed now."""
        with self._lock:
            self.is_closed = True
            return [each for each in (self._channel, self._previous) if each is not None]

    def _use(self, credentials: grpc.ChannelCredentials | None) -> None:
        self._channel = (
            self._api.insecure_channel(self._target, options=self._options)
            if credentials is None
            else self._api.secure_channel(self._target, credentials, options=self._options)
        )
        self._stub = task_pb2_grpc.SchedulerStub(self._channel)

    def _replace_if_changed(self, tls: Tls) -> None:
        with suppress(OSError, ValueError), self._lock:
            stamps = tls.read_stamps()
            if stamps == self._stamps or self.is_closed:
                return
            credentials = tls.read_credentials()
            # Calls over the channel of before may be under way: it stays until the next change.
            self._previous, self._stamps = self._channel, stamps
            self._use(credentials)
