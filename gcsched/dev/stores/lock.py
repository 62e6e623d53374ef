"""Let only one program use a data folder, for as long as any of its servers lives."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from gcsched.errors import EmbeddedStoreProblem

with suppress(ImportError):  # Windows has none; machine.py refuses it before we are asked
    import fcntl


@contextmanager
def locked(folder: Path) -> Iterator[int]:
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
