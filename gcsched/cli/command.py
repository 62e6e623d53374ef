"""A command: a name, a line of help, its arguments, and the function that runs it.

Modules of commands import what they need inside that function, so that `--help` stays fast.
"""

from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gcsched.cli.exit_codes import EXIT_CODES_HELP
from gcsched.cli.parser import Parser


def add_no_arguments(_: ArgumentParser) -> None:
    """Leave the parser as it is."""


def add_exit_codes(parser: ArgumentParser) -> None:
    """Append the table of exit codes to the help of *parser*."""
    notes = f"{parser.epilog}\n\n" if parser.epilog else ""
    parser.epilog = f"{notes}{EXIT_CODES_HELP}"
    # argparse would otherwise join the lines of the table.
    parser.formatter_class = RawDescriptionHelpFormatter


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command; *run* returns the exit code."""

    name: str
    help: str
    run: Callable[[Namespace], int]
    arguments: Callable[[ArgumentParser], None] = add_no_arguments

    def configure(self, parser: Parser) -> None:
        self.arguments(parser)
        add_exit_codes(parser)
        # main calls *run*; *parser* reports unknown arguments with the usage of this command.
        parser.set_defaults(run=self.run, parser=parser)


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandGroup:
    """A group of commands under one name, as in `gcsched job list`."""

    name: str
    help: str
    commands: Sequence["Command | CommandGroup"]

    def configure(self, parser: Parser) -> None:
        add_exit_codes(parser)
        # For errors and `help`: argparse has no public list of them.
        parser.commands = [command.name for command in self.commands]
        choices = parser.add_subparsers(
            title="commands",
            description=f"`{parser.prog} help COMMAND` lists the options of a command.",
            metavar="COMMAND",
            required=True,
        )
        for command in self.commands:
            command.configure(
                choices.add_parser(command.name, help=command.help, description=command.help)
            )
