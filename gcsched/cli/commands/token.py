"""`gcsched token`: make, list, check and revoke the tokens of clients, in the clients file."""

import os
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from pathlib import Path

from gcsched.cli import arguments
from gcsched.cli.command import Command, CommandGroup
from gcsched.cli.extras import SERVER, require_extra
from gcsched.cli.failure import WrongUsage

VARIABLE = "GCSCHED_CLIENTS_FILE"
STANDARD_INPUT = Path("-")


def add_file_argument(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--file",
        type=arguments.parse_path,
        metavar="PATH",
        help=f"the clients file ({VARIABLE})",
    )
    parser.add_argument(
        "--json",
        action="store_true",
        help="print JSON, one document per line; errors too, on standard error",
    )


def add_new_arguments(parser: ArgumentParser) -> None:
    add, text = parser.add_argument, arguments.parse_text
    add("client", type=text, metavar="CLIENT", help="the name of the client, which may be new")
    add(
        "--scope",
        action="append",
        default=[],
        type=text,
        metavar="SCOPE",
        help="what it may do: schedule, read, content, steer, bulk, operate, erase or admin;"
        " may be repeated; a client that exists keeps its scopes",
    )
    add(
        "--expires",
        default="365",
        type=parse_expires,
        metavar="DAYS|DATE",
        help="when the token ends: in so many days (%(default)s), or a date such as 2027-11-30,"
        " whose start in UTC it is",
    )
    add(
        "--identity",
        action="append",
        default=[],
        type=text,
        metavar="IDENTITY",
        help="an identity of its client certificates: spiffe://…, dns:… or cn:…; may be repeated",
    )
    add("--note", default="", type=text, metavar="TEXT", help="what the client is")
    add_file_argument(parser)


def parse_expires(given: str) -> str:
    """Check the form only: the clock is read later."""
    is_date = len(given) == len("2027-11-30") and given[4] == given[7] == "-"
    digits = given.replace("-", "") if is_date else given
    if not (digits.isascii() and digits.isdecimal() and int(digits)):
        raise ArgumentTypeError(
            f"invalid end {given!r}: write a number of days, or a date such as 2027-11-30"
        )
    return given


def add_check_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--token-file",
        type=arguments.parse_path,
        metavar="FILE",
        help="a file with the token to check; - or unset: standard input, if it is not a terminal",
    )
    add_file_argument(parser)


def add_revoke_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "id", type=arguments.parse_text, metavar="ID", help="the id of the token, from `token list`"
    )
    add_file_argument(parser)


def choose_file(chosen: Namespace) -> Path:
    """Return the path of the clients file. Raises WrongUsage."""
    if chosen.file is not None:
        return Path(chosen.file)
    if named := os.environ.get(VARIABLE):
        return Path(named)
    raise WrongUsage(f"name the clients file: use --file PATH, or set {VARIABLE}")


def read_token(chosen: Namespace) -> str | None:
    """Return the token to check; None if there is none. Raises WrongUsage."""
    file: Path | None = chosen.token_file
    try:
        if file is not None and file != STANDARD_INPUT:
            return file.read_text(encoding="utf-8").strip()
        if file == STANDARD_INPUT or not (sys.stdin is None or sys.stdin.isatty()):
            return sys.stdin.read().strip() or None
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise WrongUsage(f"--token-file {file}: {why}") from error
    return None


def create(chosen: Namespace) -> int:
    with require_extra(SERVER, command="gcsched token"):
        from gcsched.cli.commands import token_actions
    return token_actions.create_token(choose_file(chosen), chosen)


def list_tokens(chosen: Namespace) -> int:
    with require_extra(SERVER, command="gcsched token"):
        from gcsched.cli.commands import token_actions
    return token_actions.list_tokens(choose_file(chosen), chosen)


def check(chosen: Namespace) -> int:
    with require_extra(SERVER, command="gcsched token"):
        from gcsched.cli.commands import token_actions
    return token_actions.check(choose_file(chosen), read_token(chosen), chosen)


def revoke(chosen: Namespace) -> int:
    with require_extra(SERVER, command="gcsched token"):
        from gcsched.cli.commands import token_actions
    return token_actions.revoke_token(choose_file(chosen), chosen)


COMMANDS = CommandGroup(
    name="token",
    help="Make, list, check and revoke the tokens of clients, in the clients file.",
    commands=(
        Command(
            name="new",
            help="Make a token, and print it once; the file keeps only its digest.",
            run=create,
            arguments=add_new_arguments,
        ),
        Command(
            name="list",
            help="List the clients with their scopes and tokens.",
            run=list_tokens,
            arguments=add_file_argument,
        ),
        Command(
            name="check",
            help="Check a token, or the whole file if none is given.",
            run=check,
            arguments=add_check_arguments,
        ),
        Command(
            name="revoke",
            help="Revoke a token: running services refuse it within 2 s.",
            run=revoke,
            arguments=add_revoke_arguments,
        ),
    ),
)
