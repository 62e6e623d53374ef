"""Ask a person before what changes much or cannot be taken back."""

import sys
from argparse import ArgumentParser, Namespace

from gcsched.cli.calling import DONE, REFUSED, WRONG
from gcsched.cli.output import note


def add_argument(parser: ArgumentParser) -> None:
    parser.add_argument("--yes", action="store_true", help="do not ask")


def is_possible() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()


def no_terminal() -> int:
    note("there is no terminal to ask on; --yes does it without asking")
    return WRONG


def permission(chosen: Namespace, question: str) -> int:
    """Give DONE when it may be done, else the exit code to end with."""
    if chosen.yes:
        return DONE
    if not is_possible():
        return no_terminal()
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() in {"y", "yes"}:
        return DONE
    note("nothing was changed")
    return REFUSED
