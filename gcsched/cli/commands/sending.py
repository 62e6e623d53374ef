"""`gcsched daily run`, `pause` and `resume`: when anything is sent at all."""

import getpass
import socket
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from gcsched.cli import arguments, confirm, fields, obstacles, output
from gcsched.cli.call import MANY_SECONDS, addressed, calling
from gcsched.cli.command import Command, Group
from gcsched.cli.commands import schedule_view
from gcsched.cli.commands.jobs import jobs
from gcsched.cli.exit_codes import DONE

if TYPE_CHECKING:
    from gcsched.client import Client
    from gcsched.pb import task_pb2


def queue(parser: ArgumentParser) -> None:
    parser.add_argument("--dry-run", action="store_true", help="only count")
    confirm.add_argument(parser)


def run_daily(service: "Client", chosen: Namespace) -> int:
    from gcsched.pb import task_pb2

    if chosen.dry_run:
        counted = queued(service)
        output.tell(chosen, counted, lambda: [f"{in_queue(counted)} would become due"])
        return DONE
    confirm.ensure_possible(chosen)
    if not chosen.yes:
        counted = queued(service)
        if not counted.count:
            return moved(chosen, task_pb2.RunDailyQueueResponse())
        confirm.permission(chosen, f"Send {in_queue(counted)} of the daily queue now?")
    return moved(chosen, service.call("RunDailyQueue", task_pb2.RunDailyQueueRequest()))


def moved(chosen: Namespace, reply: "task_pb2.RunDailyQueueResponse") -> int:
    output.tell(chosen, reply, lambda: [f"{jobs(reply.count)} became due{unless_paused(chosen)}"])
    return DONE


def unless_paused(chosen: Namespace) -> str:
    pause = obstacles.pause(chosen)
    return "" if pause is None else schedule_view.paused(pause)


def queued(service: "Client") -> "task_pb2.CountJobsResponse":
    from gcsched.pb import task_pb2

    request = task_pb2.CountJobsRequest(filter=task_pb2.JobFilter(state=task_pb2.Job.QUEUED))
    counted: task_pb2.CountJobsResponse = service.call("CountJobs", request)
    return counted


def in_queue(counted: "task_pb2.CountJobsResponse") -> str:
    return f"{'more than ' if counted.has_more else ''}{jobs(counted.count)}"


def named(parser: ArgumentParser) -> None:
    parser.add_argument("--by", type=arguments.text, metavar="USER", help="who you are (user@host)")


def who(chosen: Namespace) -> str:
    if chosen.by is not None:
        return str(chosen.by)
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user often has no name
        user = "unknown"
    return f"{user}@{socket.gethostname()}"


def reasoned(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--reason", required=True, type=arguments.text, help="for whoever finds it paused"
    )
    named(parser)


def pause(service: "Client", chosen: Namespace) -> int:
    from gcsched.pb import task_pb2

    request = task_pb2.PauseSendingRequest(by=who(chosen), reason=chosen.reason)
    found = service.call("PauseSending", request)
    output.tell(chosen, found, lambda: ["sending is paused", fields.facts(found)])
    return DONE


def resume(service: "Client", chosen: Namespace) -> int:
    from gcsched.pb import task_pb2

    reply = service.call("ResumeSending", task_pb2.ResumeSendingRequest(by=who(chosen)))
    if reply.HasField("pause"):
        output.tell(chosen, reply, lambda: ["sending again after", fields.facts(reply.pause)])
    else:
        output.tell(chosen, reply, lambda: ["nothing was paused"])
    return DONE


DAILY = Group(
    name="daily",
    help="The daily queue.",
    commands=(
        Command(
            name="run",
            help="Send the daily queue now, after asking; the next daily run still comes.",
            run=calling(run_daily),
            arguments=addressed(queue, timeout=MANY_SECONDS),
        ),
    ),
)
PAUSE = Command(
    name="pause",
    help="Stop all processes from sending; accepted work waits.",
    run=calling(pause),
    arguments=addressed(reasoned),
)
RESUME = Command(
    name="resume",
    help="Let all processes send again.",
    run=calling(resume),
    arguments=addressed(named),
)
