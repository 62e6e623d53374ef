"""The command line: parse the arguments, run the command, report failures in one sentence."""

import errno
import os
import sys
from argparse import Namespace
from collections.abc import Sequence

from gcsched import __doc__ as purpose
from gcsched import __version__
from gcsched.cli import completion
from gcsched.cli.command import CommandGroup
from gcsched.cli.commands import (
    audit,
    bench,
    dev,
    health,
    job,
    jobs,
    meeting,
    recipient,
    schedule,
    sending,
    serve,
    status,
    suppression,
    template,
    token,
)
from gcsched.cli.exit_codes import INTERRUPTED, OUTPUT_CLOSED
from gcsched.cli.failure import CommandFailed, describe_error, print_failure
from gcsched.cli.parser import Parser, has_json_option, join_negative_values
from gcsched.cli.standard_streams import best_effort_stderr
from gcsched.errors import GcschedError

COMMANDS = CommandGroup(
    name="gcsched",
    help=str(purpose),
    commands=(
        dev.COMMAND,
        serve.COMMAND,
        schedule.COMMAND,
        meeting.COMMANDS,
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
        audit.COMMAND,
        bench.COMMAND,
        token.COMMANDS,
        completion.COMMAND,
    ),
)


UNWRITABLE_ERRNOS = {errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
"""Errors caused by the destination of the output, not by the program."""


GRPC_VERBOSITY = "GRPC_VERBOSITY"
"""gRPC's variable. Without it, gRPC writes a line on standard error for each failed handshake of
TLS: callers could fill the log of a service, and commands would print them beside their errors."""


def main(arguments: Sequence[str] | None = None, commands: CommandGroup = COMMANDS) -> int:
    os.environ.setdefault(GRPC_VERBOSITY, "ERROR")  # before gRPC is first used
    with best_effort_stderr():
        return execute(sys.argv[1:] if arguments is None else arguments, commands)


def execute(arguments: Sequence[str], commands: CommandGroup) -> int:
    try:
        chosen = parse_arguments(arguments, commands)
        code = int(chosen.run(chosen))
        print(end="", flush=True)  # at exit a failure could not be reported
    except OSError as error:
        if error.errno not in UNWRITABLE_ERRNOS:
            raise
        return report_unwritable_output(error, as_json=has_json_option(arguments))
    except GcschedError as error:
        return print_failure(describe_error(error), as_json=has_json_option(arguments))
    except KeyboardInterrupt:
        return INTERRUPTED
    return code


def parse_arguments(arguments: Sequence[str], commands: CommandGroup) -> Namespace:
    """Parse *arguments*; raise WrongUsage if they are invalid."""
    # Not parse_args: it reports unknown arguments with the usage of the whole program.
    chosen: Namespace
    chosen, unknown = build_parser(commands).parse_known_args(join_negative_values(arguments))
    if unknown:
        chosen.parser.refuse(unknown)
    return chosen


def report_unwritable_output(error: OSError, *, as_json: bool) -> int:
    """Report that the output cannot be written, and return the exit code."""
    # The interpreter flushes stdout once more at exit, and would complain again.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if error.errno == errno.EPIPE:
        return OUTPUT_CLOSED
    where = error.filename or "standard output"
    sentence = f"cannot write to {where} ({error.strerror}): the output is incomplete"
    return print_failure(describe_error(CommandFailed(sentence)), as_json=as_json)


def build_parser(commands: CommandGroup) -> Parser:
    parser = Parser(prog=commands.name, description=commands.help)
    parser.add_argument("--version", action="version", version=f"gcsched {__version__}")
    parser.set_defaults(whole=parser)  # `completion` walks the whole tree of commands
    commands.configure(parser)
    return parser
