"""Virtual environments with the built wheel in them, as users have them."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from uv import find_uv_bin

from tests.support import client_without_server
from tests.support.readme_examples import CLIENT_EXAMPLES, EXAMPLE_TARGET

ROOT = Path(__file__).resolve().parents[2]

CompletedRun = subprocess.CompletedProcess[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class VirtualEnvironment:
    """A virtual environment in *folder*; commands run there, so that no checkout is imported."""

    folder: Path

    @property
    def python(self) -> str:
        return str(self.folder / "venv" / "bin" / "python")

    @property
    def gcsched(self) -> str:
        return str(self.folder / "venv" / "bin" / "gcsched")

    async def run(self, *command: str, **environ: str) -> CompletedRun:
        return await run(*command, folder=self.folder, **environ)

    async def install(self, *arguments: str) -> None:
        await uv("pip", "install", "--python", self.python, *arguments)

    async def versions(self) -> dict[str, str]:
        """Return the version of each installed distribution."""
        listed = await uv("pip", "freeze", "--python", self.python)
        pairs = (line.split("==") for line in listed.splitlines() if "==" in line)
        return dict(pairs)


async def build_wheel(folder: Path) -> Path:
    command = ("-m", "hatchling", "build", "-t", "wheel", "-d", str(folder))
    await run_checked(sys.executable, *command, folder=ROOT)
    return await asyncio.to_thread(lambda: next(folder.glob("*.whl")))


async def create_environment(folder: Path, *, python: str = sys.executable) -> VirtualEnvironment:
    """Make an environment without any package."""
    interpreter = ["--no-python-downloads", "--python", python]  # it must be in PATH
    await uv("venv", "--no-project", *interpreter, str(folder / "venv"))
    return VirtualEnvironment(folder=folder)


async def install_newest(
    environment: VirtualEnvironment,
    wheel: Path,
    *,
    extra: str = "",
    other_packages: Sequence[str] = (),
) -> None:
    """Install *wheel* and *other_packages* in one step, with the newest allowed versions."""
    name = f"gcsched[{extra}]" if extra else "gcsched"
    await environment.install(f"{name} @ {wheel.as_uri()}", *other_packages)


async def install_oldest(
    environment: VirtualEnvironment,
    wheel: Path,
    *,
    extra: str = "",
    other_packages: Sequence[str] = (),
) -> None:
    """Install *wheel* with the oldest allowed version of each package that it names."""
    extras = ["--extra", extra] if extra else []
    lowest = ["--resolution", "lowest-direct", "--requirements", str(ROOT / "pyproject.toml")]
    await environment.install(*lowest, *extras, *other_packages)
    await environment.install("--no-deps", str(wheel))


async def find_client_problems(environment: VirtualEnvironment, target: str) -> list[str]:
    """Run the README's examples of the client, and each command; return what failed."""
    problems = []
    for example in CLIENT_EXAMPLES:
        program = example.replace(EXAMPLE_TARGET, target)
        completed = await environment.run(environment.python, "-W", "error", "-c", program)
        problems += [completed.stderr] if completed.returncode else []
    script = client_without_server.__file__
    completed = await environment.run(environment.python, script, "[]", GCSCHED_TARGET=target)
    if completed.returncode != 0:
        return [*problems, completed.stderr]
    expected = {
        **dict(client_without_server.COMMANDS),
        **dict.fromkeys(client_without_server.SERVER_COMMANDS, 2),
    }
    results = json.loads(completed.stdout)["results"]
    return problems + [
        f"{line}: {results[line]}, not {code}"
        for line, code in expected.items()
        if results[line][0] != code
    ]


async def uv(*arguments: str) -> str:
    return await run_checked(find_uv_bin(), "--quiet", *arguments)


async def run_checked(*command: str, folder: Path = ROOT) -> str:
    """Run *command*; return its output."""
    completed = await run(*command, folder=folder)
    assert completed.returncode == 0, f"{' '.join(command)}: {completed.stdout}{completed.stderr}"
    return completed.stdout


async def run(*command: str, folder: Path, **environ: str) -> CompletedRun:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("GCSCHED_", "PYTHON"))}
    return await asyncio.to_thread(
        subprocess.run,
        command,
        cwd=folder,
        env=inherited | environ,
        capture_output=True,
        text=True,
        check=False,
    )
