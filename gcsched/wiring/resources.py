"""The resources that are open while the service runs, and how those of the stores are opened."""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from gcsched.adapters.clients_file import ClientsFile
from gcsched.adapters.mail.templates import TemplateSet
from gcsched.adapters.mongo.clock import ServerClock
from gcsched.adapters.mongo.connection import Mongo, open_mongo
from gcsched.adapters.redis.clients import RedisClients, open_redis
from gcsched.adapters.smtp.pool import SmtpSessionPool
from gcsched.config.settings import Settings
from gcsched.web.metrics import Metrics
from gcsched.web.readiness import Readiness
from gcsched.wiring.optional_console import Console
from gcsched.wiring.tls import Tls


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """The open resources; *metrics* and *readiness* are served on *http_port*."""

    mongo: Mongo
    redis: RedisClients
    mailers: Sequence[SmtpSessionPool]
    templates: TemplateSet
    clock: ServerClock
    metrics: Metrics
    readiness: Readiness
    http_port: int
    max_grpc_connections: int
    tls: Tls
    console: Console
    clients_file: ClientsFile | None = None


async def open_stores(
    stack: AsyncExitStack, settings: Settings, *, has_clients: bool
) -> tuple[Mongo, RedisClients]:
    """Open the clients of both stores; neither connects before its first use."""
    mongo = open_mongo(
        settings.mongo_uri.get_secret_value(),
        allow_standalone=settings.allow_standalone,
        has_clients=has_clients,
    )
    redis = open_redis(settings.redis_url.get_secret_value(), sessions=settings.smtp_sessions)
    return await stack.enter_async_context(mongo), await stack.enter_async_context(redis)
