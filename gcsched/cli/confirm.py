"""Ask a person before what changes much or cannot be taken back."""

import sys
from argparse import ArgumentParser, Namespace

from gcsched.cli.failure import NotDone, WrongUsage


def add_argument(parser: ArgumentParser) -> None:
    parser.add_argument("--yes", action="store_true", help="do not ask")


def ensure_can_ask(chosen: Namespace) -> None:
    """Raise WrongUsage where a question is due and there is no terminal to ask on."""
    if not chosen.yes and not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise WrongUsage("there is no terminal to ask on; --yes does it without asking")


def require_confirmation(chosen: Namespace, question: str) -> None:
    """Return when it may be done. Raises NotDone, WrongUsage."""
    ensure_can_ask(chosen)
    if chosen.yes:
        return
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise NotDone("nothing was changed")
