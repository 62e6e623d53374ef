"""`gcsched status`: the state of the service, once or repeatedly."""

import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from gcsched.cli import output, target
from gcsched.cli.call import describe_call_failure, is_no_answer, with_client, with_client_arguments
from gcsched.cli.command import Command
from gcsched.cli.commands import status_view
from gcsched.cli.exit_codes import DONE
from gcsched.cli.failure import print_failure

if TYPE_CHECKING:
    from gcsched.client import CallFailed, Client
    from gcsched.pb import task_pb2

DEFAULT_INTERVAL_SECONDS = 2.0


def add_watch_argument(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--watch",
        nargs="?",
        const=DEFAULT_INTERVAL_SECONDS,
        type=target.parse_seconds,
        metavar="SECONDS",
        help=f"repeat after this many seconds ({DEFAULT_INTERVAL_SECONDS:g}) until Ctrl-C",
    )


def show_status(service: "Client", chosen: Namespace) -> int:
    if chosen.watch is not None:
        return watch(service, chosen)
    report = get_status(service)
    output.print_message(chosen, report, lambda: status_view.format_report(report))
    return DONE


def get_status(service: "Client") -> "task_pb2.StatusReport":
    from gcsched.pb import task_pb2

    report: task_pb2.StatusReport = service.call("GetStatus", task_pb2.GetStatusRequest())
    return report


def watch(service: "Client", chosen: Namespace) -> int:
    if chosen.json or not output.is_terminal():
        return repeat(service, chosen, lambda blocks: output.print_blocks([*blocks, ""]))
    from gcsched.cli import terminal

    with terminal.live_display() as show:
        return repeat(service, chosen, show)


def repeat(service: "Client", chosen: Namespace, show: Callable[[Any], None]) -> int:
    """Show reports until interrupted; a call without an answer is shown and does not end that."""
    from gcsched.client import CallFailed

    while True:
        try:
            report = get_status(service)
        except CallFailed as error:
            if not is_no_answer(error):  # a refusal would only be repeated
                raise
            show_no_answer(error, chosen, show)
        else:
            if chosen.json:
                output.print_lines(output.as_json(report))
            else:
                show(status_view.format_report(report))
        print(end="", flush=True)  # a pipe gets each report at once
        time.sleep(chosen.watch)


def show_no_answer(error: "CallFailed", chosen: Namespace, show: Callable[[Any], None]) -> None:
    found = describe_call_failure(error)
    if chosen.json:
        print_failure(found, as_json=True)
    else:
        show(["\n".join(found.lines)])


COMMAND = Command(
    name="status",
    help="Show the state of the service: counts, lateness, relays, a pause.",
    run=with_client(show_status),
    arguments=with_client_arguments(add_watch_argument),
)
