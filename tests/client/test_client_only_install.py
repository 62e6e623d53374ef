"""The client and its commands need none of the packages of the service."""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from gcsched.cli.command import Command, CommandGroup
from gcsched.cli.main import COMMANDS as THERE_ARE
from tests.support import client_without_server
from tests.support.command import run_python
from tests.support.in_process_app import RunningApp
from tests.support.installed_modules import find_dependencies, modules_beyond_the_client

CLIENT = ("gcsched.cli", "gcsched.client", "gcsched.pb")
SHARED = {
    "gcsched.domain",
    "gcsched.domain.caller_text",
    "gcsched.environment",
    "gcsched.errors",
    "gcsched.errors.of_calls",
    "gcsched.errors.of_meetings",
    "gcsched.errors.of_process",
    "gcsched.process",
    "gcsched.process.allocator",
    "gcsched.process.certificates",
    "gcsched.process.key_pairs",
    "gcsched.process.package_files",
    "gcsched.process.early_signals",
    "gcsched.process.lean_imports",
    "gcsched.proxies",
}
"""Modules that the client and its commands share with the service: none needs a library."""


def list_command_lines(commands: Sequence[Command | CommandGroup], *before: str) -> Iterator[str]:
    """Yield how each command is called."""
    for each in commands:
        if isinstance(each, CommandGroup):
            yield from list_command_lines(each.commands, *before, each.name)
        else:
            yield " ".join([*before, each.name])


def test_each_command_is_tried() -> None:
    tried = [
        *(line for line, _ in client_without_server.COMMANDS),
        *client_without_server.SERVER_COMMANDS,
    ]

    untried = [
        line
        for line in list_command_lines(THERE_ARE.commands)
        if not any(f"{each} ".startswith(f"{line} ") for each in tried)
    ]
    assert untried == [], "add it to tests/support/client_without_server.py"


def test_the_service_needs_packages_that_the_client_does_not() -> None:
    missing = modules_beyond_the_client()

    assert {"aiohttp", "arq", "beanie", "jinja2", "pydantic", "redis", "structlog"} <= {*missing}
    assert {"google", "grpc", "grpc_health", "rich"}.isdisjoint(missing)
    assert "redis" not in find_dependencies("gcsched")
    for extra in ("server", "embedded", "dev"):
        assert {"arq", "redis", "grpcio-reflection"} <= find_dependencies("gcsched", extra)


async def test_the_client_and_its_commands_do_without_the_packages_of_the_service(
    app: RunningApp,
) -> None:
    missing = json.dumps(modules_beyond_the_client())
    script = str(Path(client_without_server.__file__))

    done = await run_python("-P", script, missing, GCSCHED_TARGET=app.target)

    assert done.returncode == 0, done.stderr
    used = json.loads(done.stdout)
    expected = dict(client_without_server.COMMANDS)
    codes = {line: code for line, (code, _) in used["results"].items() if line in expected}
    assert codes == expected, used["results"]
    own = {name for name in used["loaded"] if name.startswith("gcsched.")}
    assert {name for name in own if not name.startswith(CLIENT)} <= SHARED
    assert_they_say_what_to_install(
        *(used["results"][line] for line in client_without_server.SERVER_COMMANDS)
    )


def assert_they_say_what_to_install(*results: tuple[int, str]) -> None:
    needs = (
        ("serve", "server"),
        ("dev", "embedded"),
        ("template check", "server"),
        *[("token", "server")] * 4,
    )
    for (code, output), (name, extra) in zip(results, needs, strict=True):
        assert code == 2
        assert re.fullmatch(
            rf"gcsched {name} cannot run: the module \w+ is not installed;"
            rf" run `pip install 'gcsched\[{extra}\]'`\n",
            output,
        )
