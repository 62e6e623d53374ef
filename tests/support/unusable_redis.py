"""Real Valkeys that answer every PING but cannot serve the service, in each known way."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from gcsched.dev.stores.valkey import Valkey, ValkeyOptions
from tests.support.ports import free_port
from tests.support.stores import OwnServer, own_valkey, run_own
from tests.support.wait import until

PASSWORD = "s3cret"
# docs/operations.md repeats these rules for operators; a test compares the two.
SUFFICIENT_RULES = (
    "~gcsched:*",
    "~arq:*:gcsched:*",
    "~arq:abort",
    "+@all",
    "-@admin",
    "-@dangerous",
)
Misconfigure = Callable[[Redis, Path], object]


class ClusterMember(Valkey):
    """A member of a cluster; before it has slots it serves no key."""

    def _flags(self) -> list[str]:
        return [*super()._flags(), "--cluster-enabled", "yes", "--cluster-port", str(free_port())]


class WithoutPsetex(Valkey):
    """A server whose operator has removed a command."""

    def _flags(self) -> list[str]:
        return [*super()._flags(), "--rename-command", "PSETEX", ""]


def lose_master(valkey: Redis, _: Path) -> None:
    valkey.config_set("replica-serve-stale-data", "no")
    valkey.replicaof("127.0.0.1", "1")


def fail_saves(valkey: Redis, folder: Path) -> None:
    """Make a save to disk fail, after which Valkey refuses writes."""
    (folder / "own_valkey" / "dump.rdb").mkdir()
    valkey.config_set("save", "3600 1")
    valkey.bgsave()


MISCONFIGURATIONS: dict[str, Misconfigure] = {
    "a replica that has lost its master": lose_master,
    "full": lambda valkey, _: valkey.config_set("maxmemory", "1mb"),
    "not saved": fail_saves,
    "too few replicas": lambda valkey, _: valkey.config_set("min-replicas-to-write", "1"),
    "a queue of another type": lambda valkey, _: valkey.set("gcsched:queue", "not a queue"),
}
USERS: dict[str, tuple[str, ...]] = {
    "none of our keys": ("~other:*", "+@all"),
    "not the keys of ARQ": ("~gcsched:*", "+@all"),
    "only ARQ's": ("~gcsched:queue", "~arq:*", "+@all"),
    "only reading": ("~*", "+@read", "+@connection", "+@transaction", "+@scripting"),
    "no scripts": (*SUFFICIENT_RULES, "-@scripting"),
    "no transactions": (*SUFFICIENT_RULES, "-@transaction"),
}
COMMANDS = (
    *("psetex", "zadd", "zrem", "watch", "exists", "incrby", "expire", "pexpire", "del", "unlink"),
    *("mget", "get", "set", "time", "zscore", "zcard", "zrangebyscore", "evalsha"),
)
WAYS = (
    *MISCONFIGURATIONS,
    *USERS,
    *("a replica", "a cluster without slots", "a cluster", "a command renamed", "no more clients"),
)


@asynccontextmanager
async def run_unusable(folder: Path, way: str) -> AsyncIterator[str]:
    """Run a Valkey that is unusable in this *way*; yield its URL."""
    async with AsyncExitStack() as stack:
        if way in USERS:
            server = await stack.enter_async_context(own_valkey(folder))
            yield add_user(server, *USERS[way])
        elif way == "a replica":
            master = await stack.enter_async_context(own_valkey(folder / "master"))
            server = await stack.enter_async_context(own_valkey(folder))
            await until(lambda: follows(server, master))
            yield server.uri
        elif way.startswith("a cluster"):
            member = ClusterMember(folder / "own_valkey", ValkeyOptions(port=free_port()))
            server = await stack.enter_async_context(run_own(member))
            if way == "a cluster":
                await until(lambda: has_all_slots(server))
            yield server.uri
        elif way == "a command renamed":
            renamed = WithoutPsetex(folder / "own_valkey", ValkeyOptions(port=free_port()))
            yield (await stack.enter_async_context(run_own(renamed))).uri
        else:
            server = await stack.enter_async_context(own_valkey(folder))
            control = stack.enter_context(Redis.from_url(server.uri))
            if way == "no more clients":
                control.config_set("maxclients", "1")
            else:
                MISCONFIGURATIONS[way](control, folder)
                await until(lambda: refuses_writes(control))
            yield server.uri


def add_user(server: OwnServer, *rules: str) -> str:
    """Add a user with *rules*; return a URL with its login."""
    with Redis.from_url(server.uri) as control:
        control.execute_command("ACL", "SETUSER", "ada", "reset", "on", f">{PASSWORD}", *rules)
    return f"redis://ada:{PASSWORD}@127.0.0.1:{server.port}"


def follows(server: OwnServer, master: OwnServer) -> bool:
    with Redis.from_url(server.uri) as control:
        control.replicaof("127.0.0.1", str(master.port))
        return bool(control.info("replication")["master_link_status"] == "up")


def has_all_slots(server: OwnServer) -> bool:
    with Redis.from_url(server.uri) as control:
        if "cluster_slots_assigned:0" in cluster_info(control):
            control.execute_command("CLUSTER", "ADDSLOTSRANGE", "0", "16383")
        return "cluster_state:ok" in cluster_info(control)


def cluster_info(control: Any) -> str:
    return bytes(control.execute_command("CLUSTER", "INFO")).decode()


def refuses_writes(control: Redis) -> bool:
    """Return whether an independent client is refused a write: Valkey itself is the oracle."""
    try:
        control.zadd("gcsched:queue", {"a test": 1})
        control.zrem("gcsched:queue", "a test")
    except RedisError:
        return True
    return False
