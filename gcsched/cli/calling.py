"""A command that calls the service: where it is, and what a failed call comes to."""

import os
import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable
from typing import TYPE_CHECKING

from gcsched.cli import target
from gcsched.cli.command import no_arguments
from gcsched.cli.output import clean

if TYPE_CHECKING:
    from gcsched.client import CallFailed, Client

DONE = 0
REFUSED = 1
WRONG = 2
NO_ANSWER = 3
EXIT_CODES = """\
exit codes:
  0    done
  1    not done: the service said no, or you did
  2    wrong usage, found here or by the service
  3    no answer: unreachable, out of time, overloaded; asking again is safe
  130  interrupted
  141  nobody reads the output any more"""
MANY_SECONDS = 60.0
"""How long a command waits that may change many jobs."""

Arguments = Callable[[ArgumentParser], None]
Act = Callable[["Client", Namespace], int]


def addressed(
    arguments: Arguments = no_arguments, *, timeout: float = target.DEFAULT_TIMEOUT_SECONDS
) -> Arguments:
    """Add to *arguments* what every client command has."""

    def add(parser: ArgumentParser) -> None:
        parser.epilog = EXIT_CODES
        parser.formatter_class = RawDescriptionHelpFormatter
        arguments(parser)
        parser.add_argument("--json", action="store_true", help="print JSON, one document a line")
        target.add_arguments(parser, os.environ, timeout=timeout)

    return add


def calling(act: Act) -> Callable[[Namespace], int]:
    """Run *act* with a client; what fails is told on stderr and is an exit code."""

    def run(chosen: Namespace) -> int:
        from gcsched.client import CallFailed, Client

        try:
            with Client(chosen.target, timeout=chosen.timeout) as service:
                return act(service, chosen)
        except CallFailed as error:
            print(*told(error), sep="\n", file=sys.stderr)
            return exit_code(error)

    return run


def exit_code(error: "CallFailed") -> int:
    if error.code == "INVALID_ARGUMENT":
        return WRONG
    return NO_ANSWER if is_no_answer(error) else REFUSED


def is_no_answer(error: "CallFailed") -> bool:
    return error.code in {"UNAVAILABLE", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED"}


def told(error: "CallFailed") -> list[str]:
    """Repeat what the service says: the sentence, each field, why, when to ask again."""
    if error.code == "UNIMPLEMENTED":
        return ["this service is older than this command"]
    fields = [f"{each.field}: {each.problem}" for each in error.violations]
    # The service cuts off what is long; the fields say it all.
    is_of_fields = fields and "; ".join(fields).startswith(str(error).removesuffix(" …"))
    lines = ["refused:" if is_of_fields else str(error)]
    lines += [f"  {field}" for field in fields]
    if error.reason:
        lines.append(f"  reason: {error.reason}")
        lines += [f"  {name}: {value}" for name, value in sorted(error.metadata.items())]
    if error.retry_after is not None:
        lines.append(f"  try again after {error.retry_after.total_seconds():g} s")
    return [clean(line) for line in lines] + hints(error)


def hints(error: "CallFailed") -> list[str]:
    """Say where else to look when nobody has answered."""
    if error.reason:
        return []
    if error.code == "UNAVAILABLE":
        return ["Is gcsched running there? --target or GCSCHED_TARGET names another place."]
    if error.code == "DEADLINE_EXCEEDED":
        return ["Nobody answers there, or the service waits for its stores: its log says so."]
    return []
