"""The command line: find the command, run it, and say in one sentence what went wrong."""

import errno
import os
import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Sequence

from gcsched import __doc__ as purpose
from gcsched import __version__
from gcsched.cli import (
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
from gcsched.cli.command import Group
from gcsched.cli.extras import NotInstalled
from gcsched.cli.standard_streams import unfailing_stderr
from gcsched.errors import GcschedError, SettingsProblems

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
    ),
)

FAILED = 1
USAGE = 2
INTERRUPTED = 130
UNREAD = 141
EXIT_CODES = """\
exit codes:
  0    done
  1    could not start, or failed
  2    wrong usage, settings missing or contradictory, or packages missing
  130  interrupted
What calls a service has more of them; its --help tells."""


def main(arguments: Sequence[str] | None = None, commands: Group = COMMANDS) -> int:
    with unfailing_stderr():
        return exit_code(arguments, commands)


def exit_code(arguments: Sequence[str] | None, commands: Group) -> int:
    chosen = parser_of(commands).parse_args(arguments)
    try:
        code = int(chosen.run(chosen))
        print(end="", flush=True)
    except OSError as error:
        if error.errno not in {errno.EPIPE, errno.ENOSPC}:
            raise
        return unwritten(error)
    except GcschedError as error:
        print(error, file=sys.stderr)
        return USAGE if isinstance(error, SettingsProblems | NotInstalled) else FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    return code


def unwritten(error: OSError) -> int:
    """Keep the interpreter from complaining at its end of what it could not say."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if error.errno == errno.EPIPE:
        return UNREAD
    print(error.strerror, file=sys.stderr)
    return FAILED


def parser_of(commands: Group) -> ArgumentParser:
    parser = ArgumentParser(
        prog=commands.name,
        description=commands.help,
        epilog=EXIT_CODES,
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"gcsched {__version__}")
    commands.describe(parser)
    return parser
