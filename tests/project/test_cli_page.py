"""docs/cli.md says of the commands what they do. Oracle: the commands themselves."""

import re
from collections.abc import Iterator
from pathlib import Path

from gcsched.cli.failure import CommandFailed, describe_error
from gcsched.cli.main import COMMANDS
from gcsched.errors import SettingsProblems
from tests.cli.test_proxies import leaves
from tests.support.command import run_command

PAGE = (Path(__file__).parents[2] / "docs" / "cli.md").read_text(encoding="utf-8")


def kinds(of: type[CommandFailed]) -> Iterator[type[CommandFailed]]:
    yield of
    for below in of.__subclasses__():
        yield from kinds(below)


def find_code_spans(pattern: str) -> set[str]:
    [passage] = re.findall(pattern, PAGE, re.DOTALL)
    return set(re.findall(r"`([^`]+)`", passage))


def test_every_reason_of_a_failure_found_here_is_listed() -> None:
    listed = find_code_spans(r"`reason` then is (.*?FAILED`)\.")

    settings = describe_error(SettingsProblems(["wrong"])).reason
    ours = {each for each in kinds(CommandFailed) if each.__module__.startswith("gcsched.")}
    assert listed == {settings, *(each.reason for each in ours)}


async def test_the_commands_that_ask_are_named() -> None:
    named = find_code_spans(r"\*\*Asking\.\*\* (.*?) ask first")

    asking = {
        name
        for name, _ in leaves(COMMANDS)
        if "--yes " in (await run_command(*name.split(), "--help")).out
    }
    assert named == asking


async def test_documents_that_no_message_of_the_contract_has_are_shown() -> None:
    shown = find_code_spans(r"one for each item of a list\. (.*?) have\s+documents of their own")

    assert shown == {"schedule", "health", "template check", "token", "bench"}
