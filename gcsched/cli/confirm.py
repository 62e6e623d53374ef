"""Confirmation by the operator, before changes of many jobs or that cannot be undone."""

import sys
from argparse import ArgumentParser, Namespace

from gcsched.cli.failure import NotDone, WrongUsage


def add_argument(parser: ArgumentParser) -> None:
    parser.add_argument("--yes", action="store_true", help="do not ask for confirmation")


def ensure_can_ask(chosen: Namespace) -> None:
    """Raise WrongUsage if a confirmation is required and there is no terminal to ask on."""
    if not chosen.yes and not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise WrongUsage(
            "cannot ask for confirmation without a terminal: use --yes to go on without it"
        )


def require_confirmation(chosen: Namespace, question: str) -> None:
    """Return once the operator has confirmed; raise NotDone if not, or WrongUsage."""
    ensure_can_ask(chosen)
    if chosen.yes:
        return
    # On standard error: standard output may be a file or JSON for a program.
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise NotDone("nothing was changed")
