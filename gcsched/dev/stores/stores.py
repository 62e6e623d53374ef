"""Both servers on one data folder, which nobody else may use meanwhile: what `gcsched dev` runs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from gcsched.dev.stores.lock import locked
from gcsched.dev.stores.machine import refuse_foreign_system
from gcsched.dev.stores.mongod import Mongod, MongodOptions, mongod
from gcsched.dev.stores.valkey import Valkey, valkey


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedStores:
    mongod: Mongod
    valkey: Valkey


@asynccontextmanager
async def embedded_stores(
    folder: Path, mongod_options: MongodOptions | None = None
) -> AsyncIterator[EmbeddedStores]:
    """Start both at once; what is kept in *folder* survives a restart and a kill."""
    refuse_foreign_system()
    with locked(folder) as lock:
        async with (
            valkey(folder / "valkey", lock=lock) as bell,
            mongod(folder / "mongo", mongod_options, lock=lock) as truth,
        ):
            yield EmbeddedStores(mongod=truth, valkey=bell)
