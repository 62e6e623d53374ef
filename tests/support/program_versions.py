"""Another commit of the program, run beside this one by the same interpreter."""

import asyncio
import io
import os
import sys
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A *folder* with the package, and which *commit* it is."""

    name: str
    folder: Path
    commit: str

    @property
    def environment(self) -> Mapping[str, str]:
        # Before the installed package; the current folder is not searched.
        return {"PYTHONPATH": str(self.folder), "PYTHONSAFEPATH": "1"}

    async def check(self) -> None:
        """Fail unless it is this folder's package that a process will import."""
        code = "import gcsched; print(gcsched.__file__)"
        environment = {**os.environ, **self.environment}
        found = await output(sys.executable, "-c", code, env=environment)
        place = Path(found.decode().strip())
        assert place.is_relative_to(self.folder), f"{self.name} would run {place}"


async def current_version() -> Version:
    return Version(name="new", folder=ROOT, commit=await describe_commit(ROOT))


async def other_version(place: str, folder: Path) -> Version:
    """Return the version in the folder *place*, or that commit's, extracted below *folder*."""
    if (checkout := find_checkout(place)) is not None:
        return Version(name="old", folder=checkout, commit=await describe_commit(checkout))
    commit = (await output("git", "rev-parse", "--verify", f"{place}^{{commit}}")).decode().strip()
    packed = await output("git", "archive", commit, "gcsched", "templates")
    target = folder / "old"
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(target, filter="data")
    return Version(name="old", folder=target, commit=commit)


def find_checkout(place: str) -> Path | None:
    return Path(place).resolve() if Path(place, "gcsched").is_dir() else None


async def describe_commit(folder: Path) -> str:
    command = ("git", "describe", "--always", "--dirty", "--abbrev=12")
    return (await output(*command, cwd=folder)).decode().strip()


async def output(*command: str, cwd: Path = ROOT, env: Mapping[str, str] | None = None) -> bytes:
    process = await asyncio.create_subprocess_exec(
        *command, cwd=cwd, env=env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    stdout, stderr = await process.communicate()
    assert process.returncode == 0, f"{' '.join(command)}: {stderr.decode(errors='replace')}"
    return stdout
