"""The limits on callers' connections, so that those to stores and relays always have room."""

import structlog

from gcsched.adapters.mongo import WORKERS
from gcsched.adapters.redis.connection import MAX_CONNECTIONS
from gcsched.config.settings import Settings
from gcsched.process.descriptors import ConnectionLimits, divide_descriptors, read_limit

MONGO_WATCHES = 21  # three for each of seven members of a replica set
CONSOLE_CONNECTIONS = 100
REDIS_POOLS = 3  # for keys, for enqueueing by ARQ, and for the ARQ worker

log: structlog.stdlib.BoundLogger = structlog.get_logger()


def count_connections(settings: Settings) -> int:
    """Return how many connections to stores and relays, and to the console, may be open at once."""
    mongo = WORKERS + MONGO_WATCHES
    redis = REDIS_POOLS * MAX_CONNECTIONS + settings.smtp_sessions
    relays = 1 if settings.fallback_smtp_host is None else 2
    console = 0 if settings.console_listen is None else CONSOLE_CONNECTIONS
    return mongo + redis + relays * settings.smtp_sessions + console


def share_descriptors(settings: Settings) -> ConnectionLimits:
    """Divide the file descriptors of this process; warn if there are few."""
    found = divide_descriptors(limit := read_limit(), needed=count_connections(settings))
    if found.is_short:
        log.warning(
            "few file descriptors",
            limit=limit,
            needed_by_stores_and_relays=count_connections(settings),
            grpc_connections=found.grpc,
            http_connections=found.http,
            advice="raise the limit (ulimit -n, LimitNOFILE=) to 4096 at least",
        )
    return found
