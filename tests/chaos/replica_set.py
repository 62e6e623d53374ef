"""Three real mongods as one replica set, whose members may be reached through links only."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.errors import PyMongoError
from pymongo.read_concern import ReadConcern

from gcsched.dev.stores.children import is_listening
from gcsched.dev.stores.mongod import Mongod, MongodOptions
from gcsched.dev.stores.replica_set import SET_NAME
from tests.chaos.links import Link, a_link
from tests.support.ports import free_port
from tests.support.stores import OwnServer
from tests.support.wait import until

MEMBERS = 3
DATABASE = "gcsched"
ELECTION_TIMEOUT_MS = 2000
PARAMETERS = {"ttlMonitorEnabled": "false"}

Client = MongoClient[dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    server: OwnServer
    link: Link | None = None

    @property
    def port(self) -> int:
        """The port at which clients and the other members reach it."""
        return self.server.port if self.link is None else self.link.port

    def start(self) -> None:
        """Start it again on its data; it catches up by itself."""
        self.server.launch()

    def is_primary(self) -> bool:
        return bool(self.command("hello").get("isWritablePrimary"))

    def find(self, collection: str) -> list[dict[str, Any]]:
        """Read this member's documents, whether a majority has them or not."""
        with Client(f"127.0.0.1:{self.server.port}", directConnection=True) as client:
            return list(client[DATABASE][collection].find())

    def command(self, *words: Any, **options: Any) -> dict[str, Any]:
        """Run a command on this member; return {} if it does not answer."""
        with Client(
            f"127.0.0.1:{self.server.port}",
            directConnection=True,
            serverSelectionTimeoutMS=500,
            socketTimeoutMS=2000,
        ) as client:
            try:
                return client.admin.command(*words, **options)
            except PyMongoError:
                return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaSet:
    members: Sequence[Member]

    def uri(self, owner: str) -> str:
        """Return the URI for *owner*; its connections carry that name."""
        hosts = ",".join(f"127.0.0.1:{member.port}" for member in self.members)
        return f"mongodb://{hosts}/{DATABASE}?replicaSet={SET_NAME}&appName={owner}"

    async def wait_for_primary(self) -> Member:
        """Wait until there is a primary, and return it."""

        async def find_primaries() -> list[Member]:
            return [each for each in self.members if await asyncio.to_thread(each.is_primary)]

        return (await until(find_primaries, within=30, every=0.1))[0]

    def read(self, collection: str) -> list[dict[str, Any]]:
        """Read the documents that a majority has."""
        with Client(self.uri("chaos-reader"), tz_aware=True) as client:
            found = client.get_default_database()[collection]
            return list(found.with_options(read_concern=ReadConcern("majority")).find())

    def set_replication(self, members: Sequence[Member], *, enabled: bool) -> None:
        """Start or stop replication to *members*; they stay connected to the primary."""
        point = {"configureFailPoint": "stopReplProducer", "mode": "off" if enabled else "alwaysOn"}
        for member in members:
            assert member.command(point), "run the set with enableTestCommands"

    async def initiate(self) -> None:
        config = {
            "_id": SET_NAME,
            "members": [
                {"_id": number, "host": f"127.0.0.1:{member.port}"}
                for number, member in enumerate(self.members)
            ],
            "settings": {
                "electionTimeoutMillis": ELECTION_TIMEOUT_MS,
                "heartbeatIntervalMillis": ELECTION_TIMEOUT_MS // 4,
            },
        }
        await asyncio.to_thread(self.members[0].command, "replSetInitiate", config)
        await self.wait_for_primary()


@asynccontextmanager
async def a_replica_set(
    folder: Path, parameters: Mapping[str, str] = PARAMETERS, *, has_links: bool = False
) -> AsyncIterator[ReplicaSet]:
    """Run the set until the block ends; then kill its members.

    Links run in the loop of the test: a client in the same loop, which blocks it while it closes,
    would wait for an answer through them until its timeout.
    """
    async with AsyncExitStack() as stack:
        members = []
        for number in range(MEMBERS):
            options = MongodOptions(port=free_port(), parameters=parameters)
            server = Mongod(folder / f"mongod-{number}", options)
            own = OwnServer(server)
            stack.callback(own.kill)
            own.launch()
            link = await stack.enter_async_context(a_link(own.port)) if has_links else None
            members.append(Member(server=own, link=link))
        ports = [member.server.port for member in members]
        await until(lambda: all(is_listening(port) for port in ports), within=30)
        replica_set = ReplicaSet(members=members)
        await replica_set.initiate()
        yield replica_set
