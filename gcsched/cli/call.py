"""Commands that call the service: the client they use and the report of a failed call."""

import os
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar

from gcsched.cli import target, tls
from gcsched.cli.arguments import parse_path
from gcsched.cli.command import add_no_arguments
from gcsched.cli.exit_codes import NO_ANSWER, REFUSED, WRONG_USAGE
from gcsched.cli.failure import FailureReport, WrongUsage, print_failure
from gcsched.domain.caller_text import replace_unprintable
from gcsched.environment import DEFAULT_TARGET, TOKEN_FILE

if TYPE_CHECKING:
    from gcsched.client import AccessOptions, AsyncClient, CallFailed, Client, Tls

BULK_TIMEOUT_SECONDS = 60.0
"""The default ``--timeout`` of commands that may change many jobs."""

C = TypeVar("C", "Client", "AsyncClient")
AddArguments = Callable[[ArgumentParser], None]
RunWithClient = Callable[["Client", Namespace], int]
OptionNames = Mapping[str, str]
"""Field of proto/task.proto → its option on the command line."""

COMMON_OPTION_NAMES: OptionNames = MappingProxyType(
    {
        "timestamp": "--at",
        "expire_time": "--expire-time",
        "reason": "--reason",
        "by": "--by",
        "filter": "--filter",
        "order": "--order",
        **{
            f"filter.{name}": f"--{name.replace('_', '-')}"
            for name in (
                "state",
                "due_time_from",
                "due_time_before",
                "empid",
                "email",
                "request_id",
                "meeting_id",
                "client",
            )
        },
    }
)
# Exit code 2: the same command fails again until it is corrected.
INVALID_CODES = {"INVALID_ARGUMENT", "OUT_OF_RANGE"}
# Exit code 3: the same command may succeed later.
NO_ANSWER_CODES = {"UNAVAILABLE", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED", "CANCELLED"}
NOT_GRPC_ERRORS = ("Failed parsing HTTP/2", "http1.x", "Socket closed", "Connection reset by peer")
"""Parts of gRPC's error messages for a port that speaks another protocol."""
INVALID_TARGET_ERROR = "the target uri is not valid"
NOT_GRPC_ADVICE = (
    "The peer does not speak plaintext gRPC: it is another program, or it expects TLS."
)
OTHER_TARGET_ADVICE = "Use --target or GCSCHED_TARGET to name another address."


def with_client_arguments(
    arguments: AddArguments = add_no_arguments, *, timeout: float = target.DEFAULT_TIMEOUT_SECONDS
) -> AddArguments:
    """Add the options of every client command to *arguments*."""

    def add(parser: ArgumentParser) -> None:
        arguments(parser)
        parser.add_argument(
            "--json",
            action="store_true",
            help="print JSON, one document per line; errors too, on standard error",
        )
        target.add_arguments(parser, timeout=timeout)
        tls.add_arguments(parser)
        add_token_argument(parser)

    return add


def add_token_argument(parser: ArgumentParser) -> None:
    """Add the option for a file: a token itself would be seen in the list of processes."""
    parser.add_argument(
        "--token-file",
        metavar="FILE",
        type=parse_path,
        help=f"a file with the token of the call ({TOKEN_FILE})",
    )


def choose_token_file(given: Path | None, environ: Mapping[str, str]) -> Path | None:
    """Return *given*, else the file that the environment names; None: no token."""
    return given if given is not None or not (named := environ.get(TOKEN_FILE)) else Path(named)


def with_client(
    act: RunWithClient, options: OptionNames = COMMON_OPTION_NAMES
) -> Callable[[Namespace], int]:
    """Run *act* with a client; report a failed call on stderr and return its exit code."""

    def run(chosen: Namespace) -> int:
        # gRPC takes a while to import: --help and completion must not wait for it.
        from gcsched.cli.tls_diagnosis import diagnose
        from gcsched.client import CallFailed

        chosen.target = target.choose_target(chosen.target, os.environ)
        secured = tls.choose_tls(chosen, os.environ)
        try:
            with open_client(chosen, secured) as service:
                return act(service, chosen)
        except CallFailed as error:
            hint = diagnose(error, chosen.target, secured)
            found = describe_call_failure(error, options, hint=hint)
            return print_failure(found, as_json=chosen.json)

    return run


def open_client(
    chosen: Namespace, secured: "Tls | None", *, timeout: float | None = None
) -> "Client":
    """Return the client of the chosen target, with the chosen token. Raises WrongUsage."""
    from gcsched.client import Client

    return make_client(Client, chosen, secured, timeout=timeout)


def make_client(
    kind: "type[C]", chosen: Namespace, secured: "Tls | None", *, timeout: float | None = None
) -> "C":
    """Return a client of *kind*, which may be that for asyncio. Raises WrongUsage."""
    from gcsched.process.key_pairs import UnusableFile

    file = choose_token_file(chosen.token_file, os.environ)
    try:
        # What the environment says was chosen already, beside the options.
        access: AccessOptions = {} if file is None else {"token_file": file}
        return kind(
            chosen.target,
            timeout=timeout or chosen.timeout,
            credentials=secured,
            environment={},
            **access,
        )
    except UnusableFile as error:
        raise WrongUsage(f"a file of TLS cannot be used: {error}") from error
    except ValueError as error:
        source = "--token-file" if chosen.token_file is not None else TOKEN_FILE
        raise WrongUsage(f"{source}: {str(error).removeprefix('token_file ')}") from error


def describe_call_failure(
    error: "CallFailed", options: OptionNames = COMMON_OPTION_NAMES, *, hint: str | None = None
) -> FailureReport:
    """Describe *error* for people and programs; notes that the command added go to both.

    A *hint* that was found out replaces those that are only likely.
    """
    is_older = error.code == "UNIMPLEMENTED"
    lines = (
        ["this service is older than this command: upgrade the service"]
        if is_older
        else format_call_error(error, options)
    )
    hints = find_hints(error) if hint is None else [hint]
    notes: Sequence[str] = [*hints, *getattr(error, "__notes__", ())]
    return FailureReport(
        message="\n".join([lines[0] if is_older else str(error), *notes]),
        exit_code=exit_code(error),
        code=error.code,
        reason=error.reason,
        violations=error.violations,
        metadata=error.metadata,
        retry_after=error.retry_after,
        lines=[*lines, *notes],
    )


def exit_code(error: "CallFailed") -> int:
    if error.code in INVALID_CODES or is_invalid_target(error):
        return WRONG_USAGE
    return NO_ANSWER if is_no_answer(error) else REFUSED


def is_no_answer(error: "CallFailed") -> bool:
    return error.code in NO_ANSWER_CODES or is_not_grpc(error)


def is_not_grpc(error: "CallFailed") -> bool:
    """Return whether the peer speaks another protocol."""
    # An error with a reason comes from gcsched, which speaks gRPC.
    is_of_grpc = error.code in {"UNAVAILABLE", "INTERNAL"} and not error.reason
    return is_of_grpc and any(words in str(error) for words in NOT_GRPC_ERRORS)


def is_invalid_target(error: "CallFailed") -> bool:
    """Return whether gRPC could not parse the target, so that no call was made."""
    return error.code == "UNKNOWN" and INVALID_TARGET_ERROR in str(error)


def format_call_error(error: "CallFailed", options: OptionNames = COMMON_OPTION_NAMES) -> list[str]:
    """Format the service's error: its message, each field, the reason, and when to try again."""
    fields = [f"{each.field}: {each.problem}" for each in error.violations]
    # The message repeats the fields, and the service truncates it with " …" where they are many.
    is_of_fields = fields and "; ".join(fields).startswith(str(error).removesuffix(" …"))
    is_bare = error.code in INVALID_CODES and not fields
    lines = ["refused:"] if is_of_fields or is_bare else [str(error)]
    lines += [f"  {error}"] if is_bare else []
    lines += [f"  {name_option(v.field, options)}: {v.problem}" for v in error.violations]
    if error.reason and error.reason != "INVALID_REQUEST":
        lines.append(f"  reason: {error.reason}")
        lines += [f"  {name}: {value}" for name, value in sorted(error.metadata.items())]
    if error.retry_after is not None:
        lines.append(f"  try again after {error.retry_after.total_seconds():g} s")
    return [replace_unprintable(line) for line in lines]


def name_option(field: str, options: OptionNames) -> str:
    """Return the option of *field*; of one item of a list, that of the list, and the field."""
    whole, bracket, _ = field.partition("[")
    if bracket and whole in options:
        return f"{options[whole]} ({field})"
    return options.get(field, field)


def find_hints(error: "CallFailed") -> list[str]:
    """Return hints where else to look when the service did not answer."""
    if error.reason:  # the service itself answered, and says what to do
        return []
    if is_not_grpc(error):
        return [f"{NOT_GRPC_ADVICE} {OTHER_TARGET_ADVICE}"]
    if is_invalid_target(error):
        return [f"Write host:port, e.g. {DEFAULT_TARGET}. {OTHER_TARGET_ADVICE}"]
    if error.code == "UNAVAILABLE":
        return [f"Is gcsched running there? {OTHER_TARGET_ADVICE}"]
    if error.code == "DEADLINE_EXCEEDED":
        return ["Nothing answers there, or the service waits for its stores: check its log."]
    return []
