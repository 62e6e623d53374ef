"""File descriptors: as many as this process may have, and who gets how many of them."""

import resource
from contextlib import suppress
from dataclasses import dataclass

MOST = 1_048_576  # what no process needs more of; some systems have no limit at all
RESERVED = 48  # listeners, the loop, gRPC's pollers, files, what is being accepted or closed


def raise_limit() -> None:
    """Raise the soft limit to the hard one, which is there for that."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST if hard == resource.RLIM_INFINITY else hard
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    with suppress(ValueError, OSError):  # macOS has a limit of its own below
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def limit() -> int:
    """Return how many descriptors this process may have."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST if soft == resource.RLIM_INFINITY else min(soft, MOST)


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """How many connections callers may hold; what stores and relays need is kept free."""

    http: int
    grpc: int
