"""The wheel, and an environment with it, each built once for all workers."""

import asyncio
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.virtual_environments import (
    VirtualEnvironment,
    build_wheel,
    create_environment,
    install_newest,
)

OTHER_PACKAGES = ["redis>=6", "types-grpcio", "types-protobuf"]


@contextmanager
def common_folder(factory: pytest.TempPathFactory, name: str) -> Iterator[Path]:
    """Yield a folder of this run, to one worker at a time."""
    own = factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / name
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with common_folder(tmp_path_factory, "wheel") as folder:
        if not (built := list(folder.glob("*.whl"))):
            built = [asyncio.run(build_wheel(folder))]
        return built[0]


@pytest.fixture(scope="session")
def newest(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> VirtualEnvironment:
    """The client and the newest packages that it allows, beside a newer redis and stubs."""

    async def build(folder: Path) -> None:
        made = await create_environment(folder)
        await install_newest(made, wheel, other_packages=OTHER_PACKAGES)

    with common_folder(tmp_path_factory, "newest") as folder:
        is_built = folder / "is_built"
        if not is_built.exists():
            asyncio.run(build(folder))
            is_built.touch()
        return VirtualEnvironment(folder=folder)
