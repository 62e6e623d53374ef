"""The cases of tests/measure/readiness.py: how each server is broken, and what must be reported."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from pymongo import MongoClient
from redis import Redis

from tests.support.ports import free_port
from tests.support.relay.server import Answer, At, Hang, Relay
from tests.support.stores import OwnServer, with_database

REPORT_WITHIN_SECONDS = 40.0
SILENCE_REPORT_WITHIN_SECONDS = 340.0  # RFC 5321 section 4.5.3.2.1: five minutes for the greeting


@dataclass(kw_only=True, eq=False)
class Servers:
    """The servers that a case may break, and the settings it may change before the start."""

    mongo: OwnServer
    valkey: OwnServer
    relay: Relay
    settings: dict[str, str] = field(default_factory=dict)

    def redis(self, *command: str) -> None:
        with Redis.from_url(self.valkey.uri) as control:
            control.execute_command(*command)

    def mongodb(self, **command: Any) -> None:
        with MongoClient[dict[str, Any]](self.mongo.uri) as control:
            control.admin.command(command)


FaultStep = Callable[[Servers], Awaitable[None] | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureCase:
    """A way to break *dependency*, and what must be reported within *report_within* seconds.

    *ready* is the status of /readyz, *reason_pattern* a pattern in its reason, *servez_code* the
    status code of /servez.
    """

    dependency: str
    ready: tuple[int, str]
    reason_pattern: str
    servez_code: int = 200
    report_within: float = REPORT_WITHIN_SECONDS
    configure: Callable[[Servers], None] = lambda _: None
    inject: FaultStep = lambda _: None
    repair: FaultStep | None = None


def use_wrong_login(servers: Servers) -> None:
    uri = servers.mongo.uri.replace("mongodb://", "mongodb://ada:S3cr3tPW@")
    servers.settings["GCSCHED_MONGO_URI"] = with_database(uri, "gcsched")


def set_settings(**values: str) -> Callable[[Servers], None]:
    named = {f"GCSCHED_{name.upper()}": value for name, value in values.items()}
    return lambda servers: servers.settings.update(named)


def use_another_replica_set(servers: Servers) -> None:
    uri = f"mongodb://127.0.0.1:{servers.mongo.port}/gcsched?replicaSet=another"
    servers.settings["GCSCHED_MONGO_URI"] = f"{uri}&serverSelectionTimeoutMS=2000"


def fail_writes(mode: str) -> FaultStep:
    data = {"failCommands": ["insert", "update", "findAndModify"], "errorCode": 14031}
    return lambda servers: servers.mongodb(configureFailPoint="failCommand", mode=mode, data=data)


def use_closed_port(servers: Servers) -> None:
    servers.settings["GCSCHED_SMTP_PORT"] = str(free_port())


def use_unknown_host(servers: Servers) -> None:
    servers.settings["GCSCHED_SMTP_HOST"] = "relay.invalid"
    # A password without TLS would be refused.
    servers.settings["GCSCHED_SMTP_SECURITY"] = "starttls"


def script_reply(at: At, code: int, text: str) -> FaultStep:
    def inject(servers: Servers) -> None:
        servers.relay.script(at, Answer(code, text))
        servers.relay.drop_all()  # an open session would go on sending mails

    return inject


def silence_relay(servers: Servers) -> None:
    servers.relay.script(At.CONNECT, Hang())
    servers.relay.drop_all()


def clear_script(servers: Servers) -> None:
    servers.relay.clear_rules()


STARTING, AWAY, DEGRADED = (503, "starting"), (503, "unavailable"), (200, "degraded")
MONGODB, REDIS, RELAY = "mongodb", "redis", "relay"
mongodb = partial(FailureCase, dependency=MONGODB)
redis = partial(FailureCase, dependency=REDIS, ready=DEGRADED)
relay = partial(FailureCase, dependency=RELAY, ready=DEGRADED)
MAXMEMORY = ("CONFIG", "SET", "maxmemory")

FAILURE_CASES: dict[str, FailureCase] = {
    "mongodb absent": mongodb(
        ready=AWAY,
        reason_pattern="refused",
        inject=lambda servers: servers.mongo.kill(),
        repair=lambda servers: servers.mongo.start(),
    ),
    "mongodb silent": mongodb(
        ready=AWAY,
        reason_pattern="away",
        inject=lambda servers: servers.mongo.freeze(),
        repair=lambda servers: servers.mongo.resume(),
    ),
    "mongodb refuses the login": mongodb(
        ready=STARTING,
        servez_code=503,
        reason_pattern="Authentication failed.*GCSCHED_MONGO_URI",
        configure=use_wrong_login,
    ),
    "mongodb is another set": mongodb(
        ready=STARTING,
        servez_code=503,
        reason_pattern="replicaSet in GCSCHED_MONGO_URI",
        configure=use_another_replica_set,
    ),
    "mongodb full": mongodb(
        ready=AWAY,
        reason_pattern="disk|OutOfDiskSpace",
        inject=fail_writes("alwaysOn"),
        repair=fail_writes("off"),
    ),
    "mongodb read-only": mongodb(
        ready=AWAY,
        reason_pattern="primary",
        inject=lambda servers: servers.mongodb(replSetStepDown=60, force=True),
        repair=lambda servers: servers.mongodb(replSetFreeze=0),
    ),
    "redis absent": redis(
        reason_pattern="refused.*GCSCHED_REDIS_URL|away",
        inject=lambda servers: servers.valkey.kill(),
        repair=lambda servers: servers.valkey.start(),
    ),
    "redis silent": redis(
        reason_pattern="away|answer",
        inject=lambda servers: servers.valkey.freeze(),
        repair=lambda servers: servers.valkey.resume(),
    ),
    "redis refuses the login": redis(
        reason_pattern="password.*GCSCHED_REDIS_URL|login",
        configure=lambda servers: servers.settings.update(
            GCSCHED_REDIS_URL=f"redis://:S3cr3tPW@127.0.0.1:{servers.valkey.port}/0"
        ),
        inject=lambda servers: servers.redis("CONFIG", "SET", "requirepass", "another"),
    ),
    "redis has no such database": redis(
        reason_pattern="DB index is out of range",
        configure=lambda servers: servers.settings.update(
            GCSCHED_REDIS_URL=f"redis://127.0.0.1:{servers.valkey.port}/9999"
        ),
    ),
    "redis full": redis(
        reason_pattern="memory",
        inject=lambda servers: servers.redis(*MAXMEMORY, "1mb"),
        repair=lambda servers: servers.redis(*MAXMEMORY, "0"),
    ),
    "redis read-only": redis(
        reason_pattern="replica",
        inject=lambda servers: servers.redis("REPLICAOF", "127.0.0.1", "1"),
        repair=lambda servers: servers.redis("REPLICAOF", "NO", "ONE"),
    ),
    "relay absent": relay(reason_pattern="refused.*GCSCHED_SMTP_", configure=use_closed_port),
    "relay of no such name": relay(reason_pattern="GCSCHED_SMTP_HOST", configure=use_unknown_host),
    "relay silent": relay(
        reason_pattern="answer|silent|within|life",
        report_within=SILENCE_REPORT_WITHIN_SECONDS,
        inject=silence_relay,
        repair=clear_script,
    ),
    "relay refuses the login": relay(
        reason_pattern="GCSCHED_SMTP_PASSWORD",
        configure=set_settings(smtp_username="ada", smtp_password="S3cr3tPW"),
        inject=script_reply(At.AUTH, 535, "5.7.8 no"),
    ),
    "relay speaks no TLS": relay(
        reason_pattern="GCSCHED_SMTP_SECURITY", configure=set_settings(smtp_security="tls")
    ),
    "relay refuses our sender": relay(
        reason_pattern="GCSCHED_SENDER_EMAIL",
        inject=script_reply(
            At.RCPT, 553, "5.7.1 <no-reply@example.org>: Sender address rejected: not owned"
        ),
        repair=clear_script,
    ),
    "relay too busy": relay(
        reason_pattern="421",
        inject=script_reply(At.CONNECT, 421, "4.3.2 too busy"),
        repair=clear_script,
    ),
}
