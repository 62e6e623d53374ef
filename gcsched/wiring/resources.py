"""The resources that are open while the service runs."""

from collections.abc import Sequence
from dataclasses import dataclass

from gcsched.adapters.clients_file import ClientsFile
from gcsched.adapters.mail.templates import TemplateSet
from gcsched.adapters.mongo.clock import ServerClock
from gcsched.adapters.mongo.connection import Mongo
from gcsched.adapters.redis.clients import RedisClients
from gcsched.adapters.smtp.pool import SmtpSessionPool
from gcsched.web.metrics import Metrics
from gcsched.web.readiness import Readiness
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
    clients_file: ClientsFile | None = None
