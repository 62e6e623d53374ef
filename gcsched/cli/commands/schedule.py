"""`gcsched schedule`: schedule one invitation, as any caller of the service does."""

from argparse import ArgumentParser, Namespace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from gcsched.cli import call as calling
from gcsched.cli import event_arguments, fields, output, times
from gcsched.cli.arguments import parse_text
from gcsched.cli.command import Command
from gcsched.cli.commands import optional_fields, schedule_view, template
from gcsched.cli.delivery_blockers import DeliveryBlockers, find_blockers
from gcsched.cli.exit_codes import DONE, REFUSED
from gcsched.cli.failure import NotDone, WrongUsage

if TYPE_CHECKING:
    from gcsched.client import Client
    from gcsched.pb import task_pb2

NOTES = """\
The same invitation (same --empid, --to, --message and second) is one job, however often it is
scheduled. `now` and `+10m` mean another second each time: to repeat a command safely, write the
second itself or use --request-id."""

OPTION_NAMES = {
    "empid": "--empid",
    "emailID": "--to",
    "message": "--message",
    "empName": "--name",
    "timestamp": "--at",
    "request_id": "--request-id",
    "template": "--template",
    "variables": "--var",
    "not_after": "--not-after",
    "reply_to": "--reply-to",
    "sender": "--sender",
    "labels": "--label",
    **event_arguments.OPTION_NAMES,
}
"""Field of MeetRequest → its option."""


def add_arguments(parser: ArgumentParser) -> None:
    parser.epilog = NOTES
    add = parser.add_argument
    add("--to", required=True, type=parse_text, metavar="ADDRESS", help="the recipient's address")
    add("--empid", required=True, type=parse_text, metavar="ID", help="the recipient's employee id")
    add("--message", required=True, type=parse_text, metavar="TEXT", help="the subject of the mail")
    add("--name", default="", type=parse_text, metavar="NAME", help="{{username}} in the template")
    add("--at", default="now", metavar="TIME", help=f"{times.TIME_FORMS} (%(default)s)")
    add("--validate-only", action="store_true", help="store nothing, show the mail")
    optional_fields.add_arguments(parser)


def schedule_mail(service: "Client", chosen: Namespace) -> int:
    from gcsched.client import CallFailed
    from gcsched.client.calls.scheduling import parse_reply

    now = datetime.now(UTC)
    at = parse_at(chosen.at, now)
    try:
        reply = send_request(service, chosen, at)
    except CallFailed as error:
        # The service may have accepted the job: with the same second, a repetition is that job.
        if calling.is_no_answer(error):
            again = "daily" if at == times.DAILY else at
            error.add_note(f"To repeat the command without a second mail, use --at {again}.")
        raise
    if chosen.validate_only:
        return print_validation(chosen, reply)
    job = parse_reply(reply)
    due = times.format_due_time(at, now=now)
    # A job that was accepted before may have another due time than this command.
    if job.due_time is not None and job.state != "QUEUED":
        due = schedule_view.format_utc(job.due_time)
    # A suppression or a pause can only block a job that waits.
    is_waiting = job.state in schedule_view.WAITING
    found = find_blockers(chosen, due=job.due_time) if is_waiting else DeliveryBlockers()
    schedule_view.print_result(chosen, job, due, found, now=now)
    return DONE


def parse_at(at: str, now: datetime) -> int:
    try:
        return times.parse_time(at, now=now)
    except ValueError as error:
        raise WrongUsage(f"--at: {error}") from error


def send_request(service: "Client", chosen: Namespace, at: int) -> "task_pb2.MeetResponse":
    from gcsched.client.calls.scheduling import build_request

    more = optional_fields.read_optional_fields(chosen)
    request = build_request(chosen.empid, chosen.to, chosen.message, chosen.name, at, **more)
    request.validate_only = chosen.validate_only
    reply: task_pb2.MeetResponse = service.call("ScheduleMeet", request)
    return reply


def print_validation(chosen: Namespace, reply: "task_pb2.MeetResponse") -> int:
    if not reply.HasField("preview"):
        raise NotDone(f"this service is older than --validate-only and accepted job {reply.job_id}")
    result = fields.tabulate_fields(reply, without=["success", "preview"])
    output.print_message(chosen, reply, lambda: [result, *template.format_preview(reply.preview)])
    return DONE if reply.success else REFUSED


COMMAND = Command(
    name="schedule",
    help="Schedule an invitation: the service mails it at the given time.",
    run=calling.with_client(schedule_mail, OPTION_NAMES),
    arguments=calling.with_client_arguments(add_arguments),
)
