"""The stage of the chaos tests: everything a service needs, and several of them, behind links."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from tests.chaos.links import Link, a_link
from tests.chaos.replica_set import ReplicaSet, a_replica_set
from tests.support.relay.server import Relay
from tests.support.service import ServiceProcess, environment, service
from tests.support.stores import OwnServer, own_valkey


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    folder: Path
    replica_set: ReplicaSet
    valkey: OwnServer
    redis_links: Sequence[Link]  # one for each service
    relay: Relay
    services: Sequence[ServiceProcess]

    @property
    def mongo_links(self) -> Sequence[Link]:
        return [member.link for member in self.replica_set.members]

    @property
    def data_of_redis(self) -> Path:
        return self.folder / "own_valkey" / "appendonlydir"


@asynccontextmanager
async def a_stage(folder: Path, *, services: int, **settings: str) -> AsyncIterator[Stage]:
    """Open everything; it all ends with the block."""
    async with AsyncExitStack() as stack:
        replica_set = await stack.enter_async_context(a_replica_set(folder))
        valkey = await stack.enter_async_context(own_valkey(folder))
        relay = await stack.enter_async_context(Relay())
        stage = Stage(
            folder=folder,
            replica_set=replica_set,
            valkey=valkey,
            redis_links=[
                await stack.enter_async_context(a_link(valkey.port, owner=name(number)))
                for number in range(services)
            ],
            relay=relay,
            services=[],
        )
        running = [
            await stack.enter_async_context(a_service(stage, number, settings))
            for number in range(services)
        ]
        yield replace(stage, services=running)


def a_service(
    stage: Stage, number: int, settings: dict[str, str]
) -> AbstractAsyncContextManager[ServiceProcess]:
    given = environment(
        mongo=stage.replica_set.uri(name(number)),
        redis=f"redis://127.0.0.1:{stage.redis_links[number].port}",
        relay_port=stage.relay.port,
        **settings,
    )
    return service(stage.folder, given, name=name(number))


def name(number: int) -> str:
    return f"chaos-{number}"
