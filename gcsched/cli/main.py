"""The command line: find the command, run it, and say in one sentence what went wrong."""

import errno
import os
import sys
from argparse import Namespace
from collections.abc import Sequence

from gcsched import __doc__ as purpose
from gcsched import __version__
from gcsched.cli import completion
from gcsched.cli.command import Group
from gcsched.cli.commands import (
    dev,
    health,
    job,
    jobs,
    recipient,
    schedule,
    sending,
    serve,
    status,
    suppression,
    template,
)
from gcsched.cli.exit_codes import INTERRUPTED, UNREAD
from gcsched.cli.failure import CommandFailed, found_here, report
from gcsched.cli.parser import Parser, joined, wants_json
from gcsched.cli.standard_streams import unfailing_stderr
from gcsched.errors import GcschedError

COMMANDS = Group(
    name="gcsched",
    help=str(purpose),
    commands=(
        dev.COMMAND,
        serve.COMMAND,
        schedule.COMMAND,
        health.COMMAND,
        status.COMMAND,
        job.COMMANDS,
        jobs.COMMANDS,
        sending.DAILY,
        sending.PAUSE,
        sending.RESUME,
        suppression.COMMANDS,
        recipient.COMMANDS,
        template.COMMANDS,
        completion.COMMAND,
    ),
)


UNWRITABLE = {errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
"""Errors that come of where the output goes, not of the program."""


def main(arguments: Sequence[str] | None = None, commands: Group = COMMANDS) -> int:
    with unfailing_stderr():
        return exit_code(sys.argv[1:] if arguments is None else arguments, commands)


def exit_code(arguments: Sequence[str], commands: Group) -> int:
    try:
        chosen = parsed(arguments, commands)
        code = int(chosen.run(chosen))
        print(end="", flush=True)
    except OSError as error:
        if error.errno not in UNWRITABLE:
            raise
        return unwritten(error, as_json=wants_json(arguments))
    except GcschedError as error:
        return report(found_here(error), as_json=wants_json(arguments))
    except KeyboardInterrupt:
        return INTERRUPTED
    return code


def parsed(arguments: Sequence[str], commands: Group) -> Namespace:
    """Raise WrongUsage where *arguments* cannot be meant."""
    chosen: Namespace
    chosen, unknown = parser_of(commands).parse_known_args(joined(arguments))
    if unknown:
        chosen.parser.refuse(unknown)
    return chosen


def unwritten(error: OSError, *, as_json: bool) -> int:
    """Keep the interpreter from complaining at its end of what it could not say."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if error.errno == errno.EPIPE:
        return UNREAD
    where = error.filename or "standard output"
    sentence = f"{where} cannot be written ({error.strerror}); nothing more was printed"
    return report(found_here(CommandFailed(sentence)), as_json=as_json)


def parser_of(commands: Group) -> Parser:
    parser = Parser(prog=commands.name, description=commands.help)
    parser.add_argument("--version", action="version", version=f"gcsched {__version__}")
    parser.set_defaults(whole=parser)  # for the command that completes all others
    commands.describe(parser)
    return parser
