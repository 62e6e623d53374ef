"""`gcsched status`: how things are, once or again and again."""

import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from gcsched.cli import output, target
from gcsched.cli.call import addressed, calling, failure, is_no_answer
from gcsched.cli.command import Command
from gcsched.cli.commands import status_view
from gcsched.cli.exit_codes import DONE
from gcsched.cli.failure import report

if TYPE_CHECKING:
    from gcsched.client import CallFailed, Client
    from gcsched.pb import task_pb2

USUAL_SECONDS = 2.0


def watched(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--watch",
        nargs="?",
        const=USUAL_SECONDS,
        type=target.seconds,
        metavar="SECONDS",
        help=f"again and again, every so many seconds ({USUAL_SECONDS:g}), until Ctrl-C",
    )


def status(service: "Client", chosen: Namespace) -> int:
    if chosen.watch is not None:
        return watch(service, chosen)
    report = asked(service)
    output.tell(chosen, report, lambda: status_view.report(report))
    return DONE


def asked(service: "Client") -> "task_pb2.StatusReport":
    from gcsched.pb import task_pb2

    report: task_pb2.StatusReport = service.call("GetStatus", task_pb2.GetStatusRequest())
    return report


def watch(service: "Client", chosen: Namespace) -> int:
    if chosen.json or not output.is_terminal():
        return repeat(service, chosen, lambda blocks: output.show([*blocks, ""]))
    from gcsched.cli import terminal

    with terminal.replacing() as show:
        return repeat(service, chosen, show)


def repeat(service: "Client", chosen: Namespace, show: Callable[[Any], None]) -> int:
    """Show reports until somebody interrupts; no answer is a report as well."""
    from gcsched.client import CallFailed

    while True:
        try:
            report = asked(service)
        except CallFailed as error:
            if not is_no_answer(error):
                raise
            without_answer(error, chosen, show)
        else:
            if chosen.json:
                output.say(output.as_json(report))
            else:
                show(status_view.report(report))
        print(end="", flush=True)
        time.sleep(chosen.watch)


def without_answer(error: "CallFailed", chosen: Namespace, show: Callable[[Any], None]) -> None:
    found = failure(error)
    if chosen.json:
        report(found, as_json=True)
    else:
        show(["\n".join(found.lines)])


COMMAND = Command(
    name="status",
    help="Tell how things are: counts, lateness, relays, the pause.",
    run=calling(status),
    arguments=addressed(watched),
)
