"""`gcsched[testing]` in virtual environments of its own: the example passes beside its fixtures."""

import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.virtual_environments import (
    create_environment,
    install_newest,
    install_oldest,
)

pytestmark = pytest.mark.registry
EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "interviews"


@pytest.mark.parametrize("install", [install_oldest, install_newest])
async def test_the_plugin_is_found_and_needs_no_package_of_the_service(
    tmp_path: Path, wheel: Path, install: Callable[..., Awaitable[Any]]
) -> None:
    environment = await create_environment(tmp_path / "application")
    await install(environment, wheel, extra="testing", other_packages=["pytest>=8.4"])
    folder = shutil.copytree(EXAMPLE, environment.folder / "interviews")

    tests = await environment.run(environment.python, "-m", "pytest", "-q", str(folder))

    assert (tests.returncode, tests.stderr) == (0, ""), tests.stdout
    assert "9 passed" in tests.stdout
    assert {"aiohttp", "jinja2", "pydantic", "pymongo"}.isdisjoint(await environment.versions())
