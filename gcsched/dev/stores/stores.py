"""Both servers on one data folder, which nobody else may use meanwhile: what `gcsched dev` runs."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from gcsched.dev.stores.machine import ensure_supported_system
from gcsched.dev.stores.mongod import Mongod, MongodOptions, run_mongod
from gcsched.dev.stores.valkey import Valkey, run_valkey
from gcsched.errors import EmbeddedStoreProblem


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedStores:
    mongod: Mongod
    valkey: Valkey


@asynccontextmanager
async def embedded_stores(
    folder: Path, mongod_options: MongodOptions | None = None
) -> AsyncIterator[EmbeddedStores]:
    """Start both at once; what is kept in *folder* survives a restart and a kill."""
    ensure_supported_system()
    with lock_folder(folder) as lock:
        async with (
            run_valkey(folder / "valkey", lock=lock) as bell,
            run_mongod(folder / "mongo", mongod_options, lock=lock) as truth,
        ):
            yield EmbeddedStores(mongod=truth, valkey=bell)


with suppress(ImportError):  # Windows has none; machine.py refuses it before we are asked
    import fcntl


@contextmanager
def lock_folder(folder: Path) -> Iterator[int]:
    """Lock *folder* and give the descriptor: children that inherit it hold the lock as well.

    That matters after a kill: a second Valkey would take over the files of one still running.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise EmbeddedStoreProblem(
                f"another gcsched dev uses {folder}; stop it or give --data another folder"
            ) from error
        yield file.fileno()
