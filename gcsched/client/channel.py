"""The channel of a client, which is replaced when the files of its TLS change."""

from contextlib import suppress
from threading import Lock
from typing import Any

import grpc

from gcsched.client.errors import ClientClosed
from gcsched.client.tls import Tls
from gcsched.pb import task_pb2_grpc

RECONNECTS: list[tuple[str, Any]] = [
    # gRPC's own first wait is 1 s: all five attempts would fail before a second connect.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
]
Credentials = grpc.ChannelCredentials | Tls | None


class ServiceChannel:
    """A channel to *target* by gRPC's blocking or asyncio *api*, opened at the first call.

    So a client for asyncio may be created before its event loop runs. Files of TLS are read at
    once, and again when they change, which gRPC itself does not: with a certificate that lasts for
    an hour, a channel could not connect any more. Files that cannot be used leave the channel as it
    is. Raises ValueError.
    """

    def __init__(
        self, api: Any, target: str, credentials: Credentials, options: list[tuple[str, Any]]
    ) -> None:
        self._api, self._target, self._options = api, target, options
        self._tls = credentials if isinstance(credentials, Tls) else None
        self._lock = Lock()  # the blocking client is for any thread
        self._stub: Any = None
        self._channels: list[Any] = []
        self.is_closed = False
        if isinstance(credentials, Tls):
            with suppress(OSError):  # reading it says what is wrong
                self._stamps = credentials.read_stamps()
            self._options = [*options, *credentials.channel_options()]
            credentials = credentials.read_credentials()
        self._credentials = credentials

    def stub(self) -> Any:
        """Return the methods of the service, over the channel of now. Raises ClientClosed."""
        self._prepare()
        return self._stub

    def current(self) -> Any:
        """Return the channel of now. Raises ClientClosed."""
        self._prepare()
        return self._channels[-1]

    def check_open(self) -> None:
        """Raise ClientClosed after `end`."""
        if self.is_closed:
            raise ClientClosed

    def end(self) -> list[Any]:
        """Open no other channel; return all that have to be closed now."""
        with self._lock:
            self.is_closed = True
            return self._channels

    def _prepare(self) -> None:
        if self._stub is None:
            with self._lock:
                self.check_open()
                if self._stub is None:
                    self._connect()
        self.check_open()
        if self._tls is not None:
            self._replace_if_changed(self._tls)

    def _connect(self) -> None:
        channel = (
            self._api.insecure_channel(self._target, options=self._options)
            if self._credentials is None
            else self._api.secure_channel(self._target, self._credentials, options=self._options)
        )
        # Calls over the channel of before may be under way: it stays until the next change.
        self._channels = [*self._channels[-1:], channel]
        self._stub = task_pb2_grpc.SchedulerStub(channel)

    def _replace_if_changed(self, tls: Tls) -> None:
        with suppress(OSError, ValueError), self._lock:
            stamps = tls.read_stamps()
            if stamps == self._stamps or self.is_closed:
                return
            self._credentials, self._stamps = tls.read_credentials(), stamps
            self._connect()
