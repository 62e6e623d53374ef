"""What both clients do to watch the health of a service: one stream, opened again when it ends."""

import time
from collections.abc import Callable
from typing import Any

import grpc
from grpc_health.v1 import health_pb2

from gcsched.client.channel import RECONNECTS
from gcsched.client.values import Health

METHOD = "/grpc.health.v1.Health/Watch"
REQUEST = health_pb2.HealthCheckRequest(service="scheduler.Scheduler")
WATCH_OPTIONS: list[tuple[str, Any]] = [
    # Without the service config, which opens no stream to a service that does not take calls.
    *RECONNECTS,
    # A frozen service is found by pings; the service allows one in ten seconds.
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.http2.ping_timeout_ms", 5_000),  # without it gRPC waits a minute for the pong
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.min_reconnect_backoff_ms", 5_000),  # how long one attempt to connect may take
]
TRANSIENT = {
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.UNAVAILABLE,
}
"""The errors after which the stream is opened again."""
FIRST_WAIT_SECONDS, MAX_WAIT_SECONDS, SHORT_SECONDS = 0.2, 1.0, 1.0


def open_stream(channel: Any) -> Any:
    """Start to watch over *channel*, by either API of gRPC."""
    watch = channel.unary_stream(
        METHOD,
        request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
        response_deserializer=health_pb2.HealthCheckResponse.FromString,
    )
    return watch(REQUEST)


class HealthChanges:
    """Turns replies and lost streams into changes of health, and says how long to wait."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last: Health | None = None
        self._received_at: float | None = None  # the first reply of this stream
        self.wait_seconds = 0.0

    def receive(self, reply: health_pb2.HealthCheckResponse) -> list[Health]:
        """Return the health in *reply*, if it is another one."""
        if self._received_at is None:
            self._received_at = self._clock()
        is_serving = reply.status == health_pb2.HealthCheckResponse.SERVING
        return self._change(Health.SERVING if is_serving else Health.NOT_SERVING)

    def lose(self) -> list[Health]:
        """Return UNREACHABLE if the stream ended before a reply.

        A stream that ends later, as at a restart, is opened again at once; but not one that was
        short, for the service may end it again and again, to keep to its number of watches.
        """
        received_at, self._received_at = self._received_at, None
        if received_at is not None and self._clock() - received_at >= SHORT_SECONDS:
            self.wait_seconds = 0.0
            return []
        self.wait_seconds = min(MAX_WAIT_SECONDS, 2 * self.wait_seconds or FIRST_WAIT_SECONDS)
        return [] if received_at is not None else self._change(Health.UNREACHABLE)

    def _change(self, health: Health) -> list[Health]:
        is_same, self._last = self._last is health, health
        return [] if is_same else [health]
