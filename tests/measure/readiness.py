"""Break each store and the relay in each way, and set beside each other what tells of it.

    python -m tests.measure.readiness [ROW …] --json docs/measurements/readiness.json

For each row stores, a relay and a service of their own, and a mail asked for each second. Once
/readyz says what it has to say, or after 40 s, it is kept with /servez, `gcsched status` and what
the log said. A relay that is silent may take as long as RFC 5321 waits for its greeting. Then the
row is mended where it can be. `is_true` compares with what the row expects.
"""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import grpc
from pymongo import MongoClient
from redis import Redis

from gcsched.adapters.embedded.mongod import MongodOptions
from tests.measure.spine import Figures
from tests.measure.survive import Scenarios, run_scenarios
from tests.ports import free_port
from tests.program import gcsched
from tests.relay import Answer, At, Hang, Relay
from tests.service import ServiceProcess, a_meet, environment, scheduler
from tests.stores import BareMongod, OwnServer, own_mongod, own_valkey, owned, with_database
from tests.waiting import until
from tests.web.looking import Looker, looking_at

TOLD_WITHIN_SECONDS = 40.0
SILENCE_TOLD_WITHIN_SECONDS = 340.0  # RFC 5321 section 4.5.3.2.1: five minutes for the greeting
MENDED_WITHIN_SECONDS = 90.0
FIRST_DUE = 1
OFTEN = 1.0


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


@asynccontextmanager
async def a_ground(folder: Path) -> AsyncIterator[Ground]:
    parameters = {"enableTestCommands": "1"}
    async with AsyncExitStack() as stack:
        ground = Ground(
            mongo=await stack.enter_async_context(
                own_mongod(folder, MongodOptions(parameters=parameters))
            ),
            valkey=await stack.enter_async_context(own_valkey(folder)),
            relay=await stack.enter_async_context(Relay(users={"ada": "S3cr3tPW"})),
        )
        ground.settings = environment(
            mongo=ground.mongo.uri,
            redis=ground.valkey.uri,
            relay_port=ground.relay.port,
            smtp_username="ada",
            smtp_password="S3cr3tPW",
        )
        yield ground


async def seen(row: Row, folder: Path) -> Figures:
    async with a_ground(folder) as ground:
        row.before(ground)
        service = ServiceProcess(
            environment=ground.settings, log_file=folder / "service.log", port=free_port()
        )
        service.launch()
        caller = asyncio.create_task(call(service.target), name="caller")
        try:
            async with looking_at(service.http) as look:
                return await watched(row, ground, service, look)
        finally:
            caller.cancel()
            await asyncio.wait([caller])
            await service.end()


async def watched(row: Row, ground: Ground, service: ServiceProcess, look: Looker) -> Figures:
    if row.ready is not STARTING:
        await until(partial(is_serving, look), within=30)
    log_before = len(service.log)
    await done(row.harm, ground)
    begun = time.monotonic()
    is_told = await eventually(partial(says, row, look), row.told_within)
    figures: Figures = {
        "told_after_s": round(time.monotonic() - begun, 1),
        **await told_by(service, look, row),
        "log": events(service.log[log_before:] if row.ready is not STARTING else service.log),
        "is_true": is_told,
    }
    if row.mend is not None:
        begun = time.monotonic()
        await done(row.mend, ground)
        figures["is_true"] &= await eventually(partial(is_ready, look), MENDED_WITHIN_SECONDS)
        figures["ready_again_after_s"] = round(time.monotonic() - begun, 1)
    return figures


async def told_by(service: ServiceProcess, look: Looker, row: Row) -> Figures:
    code, ready = await look.ready()
    serves, _ = await look.ask("/servez")
    status = await gcsched("status", GCSCHED_TARGET=service.target)
    return {
        "readyz": f"{code} {ready['status']}",
        "readyz_says": says_of(row, ready),
        "servez": serves,
        "status_exit_code": status.returncode,
        "status": lines_of(row, status.stdout + status.stderr),
    }


async def says(row: Row, look: Looker) -> bool:
    if not await answers(look):
        return False
    code, ready = await look.ready()
    serves, _ = await look.ask("/servez")
    is_so = (code, ready["status"]) == row.ready and serves == row.serves
    return is_so and re.search(row.words, says_of(row, ready)) is not None


def says_of(row: Row, ready: dict[str, Any]) -> str:
    """Give what /readyz says of the broken dependency; a relay is named by host and port."""
    told = dict(ready["dependencies"])
    of = [text for name, text in told.items() if name.startswith(row.of)]
    return "; ".join(of) or str(ready.get("reason", ""))


def lines_of(row: Row, text: str) -> list[str]:
    """Give those lines of `gcsched status` that tell of it; of a relay, those with a port."""
    pattern = r":\d+ " if row.of == OF_RELAY else f"^{row.of}|UNAVAILABLE|unavailable"
    return [line.rstrip() for line in text.splitlines() if re.search(pattern, line)]


def events(log: str) -> list[str]:
    """Give each warning or worse that was logged, once, with its reason."""
    found: dict[str, None] = {}
    for line in log.splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            event = {"level": "error", "event": line}
        if event.get("level") in {"warning", "error", "critical"}:
            why = event.get("error") or event.get("reason") or ""
            advice = event.get("advice") or ""
            found[": ".join(filter(None, (str(event["event"]), str(why), str(advice))))] = None
    return [*found]


async def call(target: str) -> None:
    """Ask for a mail each second, to another domain each; who is refused asks again."""
    async with scheduler(target) as stub:
        for number in range(1_000):
            request = a_meet(number, emailID=f"a@d{number}.example", timestamp=FIRST_DUE)
            with suppress(grpc.aio.AioRpcError):
                await stub.ScheduleMeet(request, timeout=5, wait_for_ready=True)
            await asyncio.sleep(OFTEN)


async def done(deed: Deed, ground: Ground) -> None:
    doing = deed(ground)
    if doing is not None:
        await doing


async def eventually(condition: Callable[[], Awaitable[bool]], within: float) -> bool:
    try:
        return bool(await until(condition, within=within))
    except AssertionError:
        return False


async def answers(look: Looker) -> bool:
    try:
        await look.ready()
    except OSError:
        return False
    return True


async def is_serving(look: Looker) -> bool:
    return await answers(look) and (await look.ask("/servez"))[0] == 200


async def is_ready(look: Looker) -> bool:
    return await look.status() == "ready"


async def refused_standalone(folder: Path) -> Figures:
    """A mongod that is no set ends the service: nothing is served."""
    async with owned(BareMongod(folder / "mongod", standalone=True)) as server, Relay() as its:
        uri = f"mongodb://127.0.0.1:{server.port}/gcsched"
        settings = environment(mongo=uri, redis="redis://127.0.0.1:1", relay_port=its.port)
        service = ServiceProcess(
            environment=settings, log_file=folder / "service.log", port=free_port()
        )
        service.launch()
        code = await service.ended()
    said = [line for line in service.log.splitlines() if "standalone" in line]
    return {"exit_code": code, "log": said, "is_true": code == 2 and bool(said)}


SCENARIOS: Scenarios = {
    **{name: partial(seen, row) for name, row in ROWS.items()},
    "mongodb standalone": refused_standalone,
}

if __name__ == "__main__":
    run_scenarios("tests.measure.readiness", __doc__, SCENARIOS)
