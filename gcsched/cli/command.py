"""What a command is: a name, a line of help, its arguments, and a function that runs it.

A module of a command imports what it runs inside that function, so that `--help` stays fast.
"""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gcsched.cli.parser import Parser


def no_arguments(_: ArgumentParser) -> None:
    """Leave the parser as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """Something to run; *run* returns the exit code."""

    name: str
    help: str
    run: Callable[[Namespace], int]
    arguments: Callable[[ArgumentParser], None] = no_arguments

    def describe(self, parser: Parser) -> None:
        self.arguments(parser)
        parser.set_defaults(run=self.run, parser=parser)


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Commands under one name, as in `gcsched job list`."""

    name: str
    help: str
    commands: Sequence["Command | Group"]

    def describe(self, parser: Parser) -> None:
        parser.commands = [command.name for command in self.commands]
        choices = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
        for command in self.commands:
            command.describe(
                choices.add_parser(command.name, help=command.help, description=command.help)
            )
