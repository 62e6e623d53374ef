"""The cluster of the chaos tests: stores, a relay and several services, connected by links."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from tests.chaos.links import Link, a_link
from tests.chaos.replica_set import ReplicaSet, a_replica_set
from tests.support.relay.server import Relay
from tests.support.service_process import ServiceProcess, environment, running_service
from tests.support.stores import OwnServer, own_valkey


@dataclass(frozen=True, slots=True, kw_only=True)
class ChaosCluster:
    folder: Path
    replica_set: ReplicaSet
    valkey: OwnServer
    redis_links: Sequence[Link]  # one for each service
    relay: Relay
    services: Sequence[ServiceProcess]

    @property
    def mongo_links(self) -> Sequence[Link]:
        return [each.link for each in self.replica_set.members if each.link is not None]

    @property
    def redis_data(self) -> Path:
        return self.folder / "own_valkey" / "appendonlydir"


@asynccontextmanager
async def a_chaos_cluster(
    folder: Path, *, services: int, **settings: str
) -> AsyncIterator[ChaosCluster]:
    """Start the cluster; stop it when the block ends."""
    async with AsyncExitStack() as stack:
        replica_set = await stack.enter_async_context(a_replica_set(folder, has_links=True))
        valkey = await stack.enter_async_context(own_valkey(folder))
        relay = await stack.enter_async_context(Relay())
        cluster = ChaosCluster(
            folder=folder,
            replica_set=replica_set,
            valkey=valkey,
            redis_links=[
                await stack.enter_async_context(a_link(valkey.port, owner=service_name(number)))
                for number in range(services)
            ],
            relay=relay,
            services=[],
        )
        running = [
            await stack.enter_async_context(a_service(cluster, number, settings))
            for number in range(services)
        ]
        yield replace(cluster, services=running)


def a_service(
    cluster: ChaosCluster, number: int, settings: dict[str, str]
) -> AbstractAsyncContextManager[ServiceProcess]:
    variables = environment(
        mongo=cluster.replica_set.uri(service_name(number)),
        redis=f"redis://127.0.0.1:{cluster.redis_links[number].port}",
        relay_port=cluster.relay.port,
        **settings,
    )
    return running_service(cluster.folder, variables, name=service_name(number))


def service_name(number: int) -> str:
    return f"chaos-{number}"
