"""Both stores of `gcsched dev` on one data folder, locked against a second process."""

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
async def run_embedded_stores(
    folder: Path, mongod_options: MongodOptions | None = None
) -> AsyncIterator[EmbeddedStores]:
    """Run both stores until the block ends; the data in *folder* survive a restart and a kill."""
    ensure_supported_system()
    with lock_folder(folder) as lock:
        async with (
            run_valkey(folder / "valkey", lock=lock) as valkey,
            run_mongod(folder / "mongo", mongod_options, lock=lock) as mongod,
        ):
            yield EmbeddedStores(mongod=mongod, valkey=valkey)


with suppress(ImportError):  # not on Windows, which machine.py refuses before this is needed
    import fcntl


@contextmanager
def lock_folder(folder: Path) -> Iterator[int]:
    """Lock *folder* and yield the descriptor; children that inherit it hold the lock as well.

    So the lock outlives this process if it is killed and a child is still running: a second Valkey
    would otherwise take over the files of the first.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:  # held by another process, or by its children
            raise EmbeddedStoreProblem(
                f"another gcsched dev uses {folder}: stop it, or use --data with another folder"
            ) from error
        yield file.fileno()
