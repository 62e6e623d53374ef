"""Each way in which the stores and the relay are broken, and what is to be told of it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from pymongo import MongoClient
from redis import Redis

from tests.support.ports import free_port
from tests.support.relay.server import Answer, At, Hang, Relay
from tests.support.stores import OwnServer, with_database

TOLD_WITHIN_SECONDS = 40.0
SILENCE_TOLD_WITHIN_SECONDS = 340.0  # RFC 5321 section 4.5.3.2.1: five minutes for the greeting


@dataclass(kw_only=True, eq=False)
class Ground:
    """What a row may break, and the settings that it may change before the service starts."""

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


Deed = Callable[[Ground], Awaitable[None] | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """*ready* and *serves* are what is to be told, *words* a pattern in what /readyz says of it."""

    of: str
    ready: tuple[int, str]
    words: str
    serves: int = 200
    told_within: float = TOLD_WITHIN_SECONDS
    before: Callable[[Ground], None] = lambda _: None
    harm: Deed = lambda _: None
    mend: Deed | None = None


def wrong_login(ground: Ground) -> None:
    uri = ground.mongo.uri.replace("mongodb://", "mongodb://ada:S3cr3tPW@")
    ground.settings["GCSCHED_MONGO_URI"] = with_database(uri, "gcsched")


def setting(**values: str) -> Callable[[Ground], None]:
    named = {f"GCSCHED_{name.upper()}": value for name, value in values.items()}
    return lambda ground: ground.settings.update(named)


def another_set(ground: Ground) -> None:
    uri = f"mongodb://127.0.0.1:{ground.mongo.port}/gcsched?replicaSet=another"
    ground.settings["GCSCHED_MONGO_URI"] = f"{uri}&serverSelectionTimeoutMS=2000"


def failing_writes(mode: str) -> Deed:
    data = {"failCommands": ["insert", "update", "findAndModify"], "errorCode": 14031}
    return lambda ground: ground.mongodb(configureFailPoint="failCommand", mode=mode, data=data)


def closed_port(ground: Ground) -> None:
    ground.settings["GCSCHED_SMTP_PORT"] = str(free_port())


def no_such_host(ground: Ground) -> None:
    ground.settings["GCSCHED_SMTP_HOST"] = "relay.invalid"
    ground.settings["GCSCHED_SMTP_SECURITY"] = "starttls"  # or the password would be refused


def scripted(at: At, code: int, text: str) -> Deed:
    def harm(ground: Ground) -> None:
        ground.relay.script(at, Answer(code, text))
        ground.relay.drop_all()  # a kept session would go on carrying mails

    return harm


def silence(ground: Ground) -> None:
    ground.relay.script(At.CONNECT, Hang())
    ground.relay.drop_all()


def unscripted(ground: Ground) -> None:
    ground.relay.forgive()


STARTING, AWAY, DEGRADED = (503, "starting"), (503, "unavailable"), (200, "degraded")
OF_MONGODB, OF_REDIS, OF_RELAY = "mongodb", "redis", "relay"
mongodb = partial(Row, of=OF_MONGODB)
redis = partial(Row, of=OF_REDIS, ready=DEGRADED)
relay = partial(Row, of=OF_RELAY, ready=DEGRADED)
MAXMEMORY = ("CONFIG", "SET", "maxmemory")

ROWS: dict[str, Row] = {
    "mongodb absent": mongodb(
        ready=AWAY,
        words="refused",
        harm=lambda ground: ground.mongo.kill(),
        mend=lambda ground: ground.mongo.start(),
    ),
    "mongodb silent": mongodb(
        ready=AWAY,
        words="away",
        harm=lambda ground: ground.mongo.stop_signal(),
        mend=lambda ground: ground.mongo.cont(),
    ),
    "mongodb refuses the login": mongodb(
        ready=STARTING,
        serves=503,
        words="Authentication failed.*GCSCHED_MONGO_URI",
        before=wrong_login,
    ),
    "mongodb is another set": mongodb(
        ready=STARTING, serves=503, words="replicaSet in GCSCHED_MONGO_URI", before=another_set
    ),
    "mongodb full": mongodb(
        ready=AWAY,
        words="disk|OutOfDiskSpace",
        harm=failing_writes("alwaysOn"),
        mend=failing_writes("off"),
    ),
    "mongodb read-only": mongodb(
        ready=AWAY,
        words="primary",
        harm=lambda ground: ground.mongodb(replSetStepDown=60, force=True),
        mend=lambda ground: ground.mongodb(replSetFreeze=0),
    ),
    "redis absent": redis(
        words="refused.*GCSCHED_REDIS_URL|away",
        harm=lambda ground: ground.valkey.kill(),
        mend=lambda ground: ground.valkey.start(),
    ),
    "redis silent": redis(
        words="away|answer",
        harm=lambda ground: ground.valkey.stop_signal(),
        mend=lambda ground: ground.valkey.cont(),
    ),
    "redis refuses the login": redis(
        words="password.*GCSCHED_REDIS_URL|login",
        before=lambda ground: ground.settings.update(
            GCSCHED_REDIS_URL=f"redis://:S3cr3tPW@127.0.0.1:{ground.valkey.port}/0"
        ),
        harm=lambda ground: ground.redis("CONFIG", "SET", "requirepass", "another"),
    ),
    "redis has no such database": redis(
        words="DB index is out of range",
        before=lambda ground: ground.settings.update(
            GCSCHED_REDIS_URL=f"redis://127.0.0.1:{ground.valkey.port}/9999"
        ),
    ),
    "redis full": redis(
        words="memory",
        harm=lambda ground: ground.redis(*MAXMEMORY, "1mb"),
        mend=lambda ground: ground.redis(*MAXMEMORY, "0"),
    ),
    "redis read-only": redis(
        words="replica",
        harm=lambda ground: ground.redis("REPLICAOF", "127.0.0.1", "1"),
        mend=lambda ground: ground.redis("REPLICAOF", "NO", "ONE"),
    ),
    "relay absent": relay(words="refused.*GCSCHED_SMTP_", before=closed_port),
    "relay of no such name": relay(words="GCSCHED_SMTP_HOST", before=no_such_host),
    "relay silent": relay(
        words="answer|silent|within|life",
        told_within=SILENCE_TOLD_WITHIN_SECONDS,
        harm=silence,
        mend=unscripted,
    ),
    "relay refuses the login": relay(
        words="GCSCHED_SMTP_PASSWORD",
        before=setting(smtp_username="ada", smtp_password="S3cr3tPW"),
        harm=scripted(At.AUTH, 535, "5.7.8 no"),
    ),
    "relay speaks no TLS": relay(
        words="GCSCHED_SMTP_SECURITY", before=setting(smtp_security="tls")
    ),
    "relay refuses our sender": relay(
        words="GCSCHED_SENDER_EMAIL",
        harm=scripted(
            At.RCPT, 553, "5.7.1 <no-reply@example.org>: Sender address rejected: not owned"
        ),
        mend=unscripted,
    ),
    "relay too busy": relay(
        words="421", harm=scripted(At.CONNECT, 421, "4.3.2 too busy"), mend=unscripted
    ),
}
