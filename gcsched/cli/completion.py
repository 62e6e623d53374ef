"""`gcsched completion`: print a script that completes commands and options in a shell."""

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping
from typing import Any

from gcsched.cli import filters, output
from gcsched.cli.arguments import parse_path
from gcsched.cli.command import Command
from gcsched.cli.exit_codes import DONE

SHELLS = ("bash", "zsh", "fish")
INSTALL_HELP = """\
To enable it in every new shell (the folder of the file must exist):
  bash  gcsched completion bash > ~/.local/share/bash-completion/completions/gcsched
  zsh   gcsched completion zsh > "${fpath[1]}/_gcsched"
  fish  gcsched completion fish > ~/.config/fish/completions/gcsched.fish"""


def add_arguments(parser: ArgumentParser) -> None:
    parser.epilog = INSTALL_HELP
    parser.add_argument("shell", choices=SHELLS, help=", ".join(SHELLS))


def run(chosen: Namespace) -> int:
    import shtab

    parser = chosen.whole
    for action in walk_actions(parser):
        if action.type is filters.parse_state:
            # parse_state takes both cases; completion offers the one of --help.
            action.choices = [state.lower() for state in filters.STATES]
        elif action.type is parse_path:
            action.complete = shtab.DIRECTORY if action.metavar == "FOLDER" else shtab.FILE
    output.print_lines(shtab.complete(parser, shell=chosen.shell))
    return DONE


def walk_actions(parser: ArgumentParser) -> Iterator[Any]:
    """Yield the options and arguments of *parser* and of all commands below it."""
    # argparse has no public list of them; shtab reads this one too.
    for action in vars(parser)["_actions"]:
        yield action
        if isinstance(action.choices, Mapping):
            for subparser in action.choices.values():
                yield from walk_actions(subparser)


COMMAND = Command(
    name="completion",
    help="Print a script that completes commands and options in a shell.",
    run=run,
    arguments=add_arguments,
)
