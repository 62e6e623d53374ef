"""The gRPC server: the Scheduler service, health and reflection on one port."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2

from gcsched.errors import CannotListen
from gcsched.process.listening import IN_USE, check_can_listen
from gcsched.rpc.access_gate import AccessGate, OnCall
from gcsched.rpc.contract import SERVICE, ReflectionPool, build_descriptor_pool
from gcsched.rpc.interceptor import CallCheck, CallInterceptor, allow_call
from gcsched.rpc.memory import MemoryBudget
from gcsched.rpc.receiver import Receiver
from gcsched.rpc.server_certificate import AGE_OPTIONS, ServerCertificate
from gcsched.rpc.servicer import SchedulerServicer
from gcsched.rpc.stream_limits import StreamLimitInterceptor
from gcsched.rpc.streams import StreamInterceptor

GRPC_LISTEN = "GCSCHED_GRPC_LISTEN"
UNUSABLE_CERTIFICATE = (
    "gRPC cannot use the certificate or the authorities of callers, which OpenSSL can; give"
    " GCSCHED_GRPC_TLS_CERT_FILE a certificate with an ECDSA (P-256) or RSA key"
)
MAX_MESSAGE = 4 * 1024 * 1024
MAX_PENDING_CALLS = 4_000  # some 20 KB each; as many as 20 connections may have
MAX_CALLS_PER_CONNECTION = 200  # at once; a client queues more until some of them end
MAX_CONNECTIONS = 2_000
MAX_METADATA = 8 * 1024
UNREAD_OCTETS = 16 * 1024  # buffered for each call whose message is not read yet
CALL_MEMORY = 160 * 1024 * 1024
QUIET_SECONDS, MAX_QUIET_CHECKS = 0.05, 20  # half of them before calls are rejected
OPTIONS = [
    # Calls that Python has not accepted yet. gRPC's default of 1,000 to 3,000 is full at the first
    # instant of a flood, and it then answers CANCELLED, without a hint when to call again.
    ("grpc.server.max_pending_requests", MAX_PENDING_CALLS),
    ("grpc.server.max_pending_requests_hard_limit", MAX_PENDING_CALLS + 1),
    ("grpc.max_concurrent_streams", MAX_CALLS_PER_CONNECTION),
    # Off, because it counts streams that have just ended: clients within the limit got
    # UNAVAILABLE.
    ("grpc.http.overload_protection", 0),
    ("grpc.max_metadata_size", MAX_METADATA),
    ("grpc.absolute_max_metadata_size", 2 * MAX_METADATA),
    ("grpc.http2.bdp_probe", 0),  # off, because it raises the buffer of unread messages
    ("grpc.http2.lookahead_bytes", UNREAD_OCTETS),
    ("grpc.max_receive_message_length", MAX_MESSAGE),
    ("grpc.max_send_message_length", MAX_MESSAGE),
]
CONNECTION_OPTIONS = [
    # Each connection takes a file descriptor: a silent or incomplete handshake is closed.
    ("grpc.server_handshake_timeout_ms", 5_000),
    # Pings find callers that vanished without closing the connection, with or without a call.
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.ping_timeout_ms", 10_000),  # its default is a minute, and the longer one counts
    # Callers may ping too, even without a call. gRPC's default limit, one ping in five minutes (two
    # hours without a call), rejects clients that ping every 10 s, the shortest interval of grpc-go
    # and Java. The limit here is half of that; the third early ping in a row ends the connection.
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    ("grpc.http2.max_ping_strikes", 2),
    # Without a call, even a connection that answers pings is closed then, to free it for others.
    ("grpc.max_connection_idle_ms", 5 * 60_000),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerLimits:
    """How many connections callers may open, what their calls may hold, and who may call.

    Without a *gate* anyone may call everything. *check_call* refuses the calls of a client that
    makes too many.
    """

    connections: int = MAX_CONNECTIONS
    call_octets: int = CALL_MEMORY
    check_call: CallCheck = allow_call
    gate: AccessGate | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PortOptions:
    """How a port is bound: shared with other processes that also do so, and with TLS."""

    is_shared: bool = False
    certificate: ServerCertificate | None = None

    @property
    def asks_callers(self) -> bool:
        """Return whether each caller needs a certificate."""
        return self.certificate is not None and self.certificate.asks_callers


@dataclass(frozen=True, slots=True, kw_only=True)
class RpcServer:
    """A running server."""

    server: grpc.aio.Server
    health: health.aio.HealthServicer
    calls: CallInterceptor
    streams: StreamInterceptor
    port: int

    async def stop_gracefully(self, grace: timedelta) -> None:
        """Redirect callers to other replicas, then let the calls under way finish in *grace*.

        gRPC answers CANCELLED to calls that arrive when it stops, and callers cannot know
        whether they were applied. So clients that watch health first get the time to leave. The
        others, Node's for example, then get UNAVAILABLE, after which they wait before they retry.
        """
        await self.health.enter_graceful_shutdown()
        await self._wait_for_quiet()
        self.calls.reject_new_calls()
        await self.streams.end()  # they would last for all of *grace*
        await self._wait_for_quiet()
        await self.server.stop(grace.total_seconds())

    async def _wait_for_quiet(self) -> None:
        """Wait until no call has arrived for 50 ms, for half a second at most."""
        for _ in range(MAX_QUIET_CHECKS // 2):
            before = self.calls.call_count
            await asyncio.sleep(QUIET_SECONDS)
            if self.calls.call_count == before:
                return


def build_server_options(limits: ServerLimits, options: PortOptions) -> list[tuple[str, int]]:
    """Return gRPC's options of a server with *limits*."""
    return [
        # gRPC's default silently shares the port: another process there would get half the calls.
        ("grpc.so_reuseport", int(options.is_shared)),
        ("grpc.max_allowed_incoming_connections", limits.connections),
        *CONNECTION_OPTIONS,
        *(AGE_OPTIONS if options.asks_callers else ()),
        *OPTIONS,
    ]


def add_health_and_reflection(server: grpc.aio.Server) -> health.aio.HealthServicer:
    """Add the standard services for health and reflection; return the one for health."""
    servicer = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    names = (SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME)
    pool = build_descriptor_pool(health_pb2.DESCRIPTOR, reflection_pb2.DESCRIPTOR)
    reflection.enable_server_reflection(names, server, pool=ReflectionPool(pool))
    return servicer


def add_port(server: grpc.aio.Server, listen: str, options: PortOptions) -> int:
    """Bind *server* to *listen*; return the port. Raises CannotListen."""
    # First by a socket of our own, because gRPC's error does not say what is wrong.
    check_can_listen(listen, GRPC_LISTEN, is_shared=options.is_shared)
    try:
        if options.certificate is None:
            return server.add_insecure_port(listen)
        return server.add_secure_port(listen, options.certificate.credentials())
    except RuntimeError as error:
        if options.certificate is not None:
            check_can_listen(listen, GRPC_LISTEN, is_shared=options.is_shared)
            raise CannotListen(listen, UNUSABLE_CERTIFICATE) from error
        raise CannotListen(listen, IN_USE.format(setting=GRPC_LISTEN)) from error


@asynccontextmanager
async def serve_grpc(
    servicer: SchedulerServicer,
    *,
    listen: str,
    on_call: OnCall,
    limits: ServerLimits | None = None,
    port: PortOptions | None = None,
) -> AsyncIterator[RpcServer]:
    """Serve on *listen* (``host:port``) and report each call to *on_call*. Raises CannotListen."""
    limits, options = limits or ServerLimits(), port or PortOptions()
    # CallInterceptor comes first: it answers methods that it knows without the others.
    streams = StreamInterceptor()
    receiver = Receiver(MemoryBudget(limits.call_octets))
    calls = CallInterceptor(on_call, receiver, check_call=limits.check_call, gate=limits.gate)
    server = grpc.aio.server(
        options=build_server_options(limits, options),
        interceptors=[calls, streams, StreamLimitInterceptor()],
    )
    servicer.add_to(server)
    health_servicer = add_health_and_reflection(server)
    bound = add_port(server, listen, options)
    await server.start()
    for name in ("", SERVICE):
        await health_servicer.set(name, health_pb2.HealthCheckResponse.SERVING)
    try:
        yield RpcServer(
            server=server, health=health_servicer, calls=calls, streams=streams, port=bound
        )
    finally:
        await server.stop(0)
