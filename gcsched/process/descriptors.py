"""File descriptors: the limit of this process, and how it is divided."""

import resource
from contextlib import suppress
from dataclasses import dataclass

MAX_DESCRIPTORS = 1_048_576  # a bound for systems without a limit
RESERVED = 48  # listeners, the loop, gRPC's pollers, files, connections being accepted or closed
MAX_GRPC = 2_000  # 17 KB of memory each while it is idle: measured with grpcio 1.85
MAX_HTTP = 100
MIN_GRPC, MIN_HTTP = 16, 8
ENOUGH_GRPC = 100


def raise_limit() -> None:
    """Raise the soft limit to the hard one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    target = MAX_DESCRIPTORS if hard == resource.RLIM_INFINITY else hard
    if soft == resource.RLIM_INFINITY or soft >= target:
        return
    with suppress(ValueError, OSError):  # macOS has a lower limit of its own
        resource.setrlimit(resource.RLIMIT_NOFILE, (target, hard))


def read_limit() -> int:
    """Return how many descriptors this process may have."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MAX_DESCRIPTORS if soft == resource.RLIM_INFINITY else min(soft, MAX_DESCRIPTORS)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLimits:
    """How many connections callers may hold at once; *is_short*: fewer than recommended."""

    http: int
    grpc: int
    is_short: bool


def divide_descriptors(limit: int, *, needed: int) -> ConnectionLimits:
    """Divide *limit* among callers, after the *needed* descriptors of stores and relays."""
    left = limit - RESERVED - needed
    http = max(MIN_HTTP, min(MAX_HTTP, left // 4))
    grpc = max(MIN_GRPC, min(MAX_GRPC, left - http))
    return ConnectionLimits(http=http, grpc=grpc, is_short=grpc < ENOUGH_GRPC)
