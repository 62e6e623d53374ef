"""`gcsched schedule`: ask a running service for one invitation, as any caller would."""

import json
from argparse import ArgumentParser, Namespace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from gcsched.cli import call as calling
from gcsched.cli import fields, output
from gcsched.cli import values as when
from gcsched.cli.arguments import text
from gcsched.cli.command import Command
from gcsched.cli.commands import schedule_view, template, wishes
from gcsched.cli.exit_codes import DONE, REFUSED
from gcsched.cli.failure import NotDone, WrongUsage
from gcsched.cli.obstacles import Obstacles, obstacles

if TYPE_CHECKING:
    from gcsched.client import Client, Scheduled
    from gcsched.pb import task_pb2

NOTES = """\
The same invitation (same --empid, --to, --message and second) is one job, however often it is
asked for. `now` and `+10m` mean another second each time; to repeat a command, name the second
or give it a --request-id."""

OPTIONS = {
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
    "labels": "--label",
}
"""What a field of proto/task.proto is called here."""

AT_ONCE = timedelta(seconds=5)
"""A mail that is due so soon leaves before its sender can type another command."""


def arguments(parser: ArgumentParser) -> None:
    parser.epilog = NOTES
    add = parser.add_argument
    add("--to", required=True, type=text, metavar="ADDRESS", help="the recipient's address")
    add("--empid", required=True, type=text, metavar="ID", help="the recipient's employee id")
    add("--message", required=True, type=text, metavar="TEXT", help="the subject of the mail")
    add("--name", default="", type=text, metavar="NAME", help="{{username}} in the template")
    add("--at", default="now", metavar="TIME", help=f"{when.FORMS} (%(default)s)")
    add("--validate-only", action="store_true", help="store nothing, show how it would look")
    wishes.add_arguments(parser)


def ask(service: "Client", chosen: Namespace) -> int:
    from gcsched.client import CallFailed
    from gcsched.client.client import scheduled

    now = datetime.now(UTC)
    at = second(chosen.at, now)
    try:
        reply = answer(service, chosen, at)
    except CallFailed as error:
        if calling.is_no_answer(error):
            again = "daily" if at == when.DAILY else at
            error.add_note(f"To ask again without a second mail, use --at {again}.")
        raise
    if chosen.validate_only:
        return previewed(chosen, reply)
    job = scheduled(reply)
    due = when.due(at, now=now)
    if job.due_time is not None and job.state != "QUEUED":
        due = schedule_view.utc(job.due_time)
    is_waiting = job.state in schedule_view.WAITING
    found = obstacles(chosen, due=job.due_time) if is_waiting else Obstacles()
    output.say(as_json(job, due, found) if chosen.json else as_sentence(job, due, found, now))
    return DONE


def second(at: str, now: datetime) -> int:
    try:
        return when.unix_seconds(at, now=now)
    except ValueError as error:
        raise WrongUsage(f"--at: {error}") from error


def answer(service: "Client", chosen: Namespace, at: int) -> "task_pb2.MeetResponse":
    from gcsched.client.client import request_for

    more = wishes.chosen_wishes(chosen)
    request = request_for(chosen.empid, chosen.to, chosen.message, chosen.name, at, **more)
    request.validate_only = chosen.validate_only
    reply: task_pb2.MeetResponse = service.call("ScheduleMeet", request)
    return reply


def previewed(chosen: Namespace, reply: "task_pb2.MeetResponse") -> int:
    if not reply.HasField("preview"):
        raise NotDone(
            f"this service is older than --validate-only and has accepted job {reply.job_id}"
        )
    fate = fields.facts(reply, without=["success", "preview"])
    output.tell(chosen, reply, lambda: [fate, *template.previewing(reply.preview)])
    return DONE if reply.success else REFUSED


def as_json(job: "Scheduled", due: str | None, found: Obstacles) -> str:
    told = {"outcome": job.outcome, "state": job.state}
    given = {name: value for name, value in told.items() if value}
    in_the_way = {"suppression": found.suppression, "pause": found.pause}
    messages = {name: output.as_dict(each) for name, each in in_the_way.items() if each is not None}
    return json.dumps({"job_id": job.job_id, "due_time": due, **given, **messages})


def as_sentence(job: "Scheduled", due: str | None, found: Obstacles, now: datetime) -> str:
    said = schedule_view.sentence(job, due)
    if found.suppression is not None:
        is_due = job.due_time is not None and job.due_time <= now + AT_ONCE
        at_once = is_due and found.pause is None
        said += schedule_view.blocked(found.suppression, job.job_id, at_once=at_once)
    if found.pause is not None:
        said += schedule_view.paused(found.pause)
    return said


COMMAND = Command(
    name="schedule",
    help="Ask a running service to mail somebody an invitation at a time.",
    run=calling.calling(ask, OPTIONS),
    arguments=calling.addressed(arguments),
)
