"""The help of each command, and the ways to show it."""

import re
from collections.abc import Iterator

import pytest

from gcsched.cli import exit_codes
from gcsched.cli.command import Command, CommandGroup
from gcsched.cli.main import COMMANDS
from gcsched.pb import task_pb2
from tests.support.command import run_command
from tests.support.fake_scheduler import fake_scheduler


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (["help"], []),
        (["help", "job"], ["job"]),
        (["help", "job", "list"], ["job", "list"]),
        (["job", "help"], ["job"]),
        (["job", "help", "list"], ["job", "list"]),
    ],
)
async def test_help_is_a_command_too(arguments: list[str], command: list[str]) -> None:
    helped = await run_command(*arguments)
    expected = await run_command(*command, "--help")

    assert helped.code == 0
    assert helped == expected


@pytest.mark.parametrize("group", [[], ["job"]])
async def test_the_help_of_a_group_mentions_help(group: list[str]) -> None:
    done = await run_command(*group, "--help")

    assert f"`{' '.join(['gcsched', *group])} help COMMAND` lists" in done.out


async def test_a_template_may_be_called_help() -> None:
    async with fake_scheduler(PreviewTemplate=task_pb2.Preview(text="Hello")) as service:
        done = await run_command(
            "template", "preview", "help", "--text", "--target", service.target
        )

    assert (done.code, done.out) == (0, "Hello\n")


def lines(each: Command | CommandGroup, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the command lines of *each* and of all commands below it, the program first."""
    yield (line := (*above, each.name))
    for below in each.commands if isinstance(each, CommandGroup) else ():
        yield from lines(below, line)


@pytest.mark.parametrize("line", list(lines(COMMANDS)), ids=" ".join)
async def test_every_help_ends_with_the_table_of_exit_codes(line: tuple[str, ...]) -> None:
    done = await run_command(*line[1:], "--help")

    assert done.out.endswith(f"\n\n{exit_codes.EXIT_CODES_HELP}\n")
    assert done.out.count("exit codes:") == 1


def test_the_table_of_exit_codes_is_complete() -> None:
    codes = [
        int(code) for code in re.findall(r"^  ([0-9]+) ", exit_codes.EXIT_CODES_HELP, re.MULTILINE)
    ]
    assert codes == [0, 1, 2, 3, 130, 141, 143]
