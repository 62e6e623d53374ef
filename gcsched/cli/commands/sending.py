"""`gcsched daily run`, `pause` and `resume`: control of sending as a whole."""

import getpass
import socket
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from gcsched.cli import arguments, confirm, delivery_blockers, fields, output
from gcsched.cli.call import BULK_TIMEOUT_SECONDS, with_client, with_client_arguments
from gcsched.cli.command import Command, CommandGroup
from gcsched.cli.commands import schedule_view
from gcsched.cli.commands.jobs import format_job_count
from gcsched.cli.exit_codes import DONE

if TYPE_CHECKING:
    from gcsched.client import Client
    from gcsched.pb import task_pb2


def add_daily_run_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--dry-run", action="store_true", help="count the jobs, change nothing")
    confirm.add_argument(parser)


def run_daily(service: "Client", chosen: Namespace) -> int:
    from gcsched.pb import task_pb2

    if chosen.dry_run:
        counted = count_queued(service)
        output.print_message(
            chosen, counted, lambda: [f"{format_queue_count(counted)} would become due"]
        )
        return DONE
    confirm.ensure_can_ask(chosen)
    if not chosen.yes:
        counted = count_queued(service)
        if not counted.count:  # no run: jobs that are queued from now on were not confirmed
            return print_daily_run(chosen, task_pb2.RunDailyQueueResponse())
        confirm.require_confirmation(
            chosen, f"Send {format_queue_count(counted)} of the daily queue now?"
        )
    return print_daily_run(chosen, service.call("RunDailyQueue", task_pb2.RunDailyQueueRequest()))


def print_daily_run(chosen: Namespace, reply: "task_pb2.RunDailyQueueResponse") -> int:
    output.print_message(
        chosen,
        reply,
        lambda: [f"{format_job_count(reply.count)} became due{find_pause_note(chosen)}"],
    )
    return DONE


def find_pause_note(chosen: Namespace) -> str:
    pause = delivery_blockers.find_pause(chosen)
    return "" if pause is None else schedule_view.describe_pause(pause)


def count_queued(service: "Client") -> "task_pb2.CountJobsResponse":
    from gcsched.pb import task_pb2

    request = task_pb2.CountJobsRequest(filter=task_pb2.JobFilter(state=task_pb2.Job.QUEUED))
    counted: task_pb2.CountJobsResponse = service.call("CountJobs", request)
    return counted


def format_queue_count(counted: "task_pb2.CountJobsResponse") -> str:
    return f"{'more than ' if counted.has_more else ''}{format_job_count(counted.count)}"


def add_by_argument(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--by", type=arguments.parse_text, metavar="USER", help="who you are (user@host)"
    )


def find_operator(chosen: Namespace) -> str:
    if chosen.by is not None:
        return str(chosen.by)
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # the user id of a container often has no name
        user = "unknown"
    return f"{user}@{socket.gethostname()}"


def add_pause_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--reason", required=True, type=arguments.parse_text, help="shown to other operators"
    )
    add_by_argument(parser)


def pause(service: "Client", chosen: Namespace) -> int:
    from gcsched.pb import task_pb2

    request = task_pb2.PauseSendingRequest(by=find_operator(chosen), reason=chosen.reason)
    found = service.call("PauseSending", request)
    output.print_message(
        chosen, found, lambda: ["sending is paused", fields.tabulate_fields(found)]
    )
    return DONE


def resume(service: "Client", chosen: Namespace) -> int:
    from gcsched.pb import task_pb2

    reply = service.call("ResumeSending", task_pb2.ResumeSendingRequest(by=find_operator(chosen)))
    if reply.HasField("pause"):
        output.print_message(
            chosen,
            reply,
            lambda: ["sending again, after this pause:", fields.tabulate_fields(reply.pause)],
        )
    else:
        output.print_message(chosen, reply, lambda: ["sending was not paused"])
    return DONE


DAILY = CommandGroup(
    name="daily",
    help="Run the daily queue.",
    commands=(
        Command(
            name="run",
            help="Send the daily queue now, after asking; the next daily run still takes place.",
            run=with_client(run_daily),
            arguments=with_client_arguments(add_daily_run_arguments, timeout=BULK_TIMEOUT_SECONDS),
        ),
    ),
)
PAUSE = Command(
    name="pause",
    help="Pause sending in all processes; accepted jobs wait.",
    run=with_client(pause),
    arguments=with_client_arguments(add_pause_arguments),
)
RESUME = Command(
    name="resume",
    help="Resume sending in all processes.",
    run=with_client(resume),
    arguments=with_client_arguments(add_by_argument),
)
