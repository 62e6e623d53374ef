"""`gcsched schedule`: ask a running service for one invitation, as any caller would."""

import json
import os
import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from gcsched.cli import calling, fields, output, target, template, when, wishes
from gcsched.cli.arguments import text
from gcsched.cli.command import Command

if TYPE_CHECKING:
    from gcsched.client import CallFailed, Client, Scheduled
    from gcsched.pb import task_pb2

ACCEPTED = 0
FAILED = 1
WRONG = 2
NOTES = """\
The same invitation (same --empid, --to, --message and second) is one job, however often it is
asked for. `now` and `+10m` mean another second each time; to repeat a command, name the second
or give it a --request-id.

exit codes:
  0    accepted: the job is stored safely; with --validate-only: it would be
  1    failed: unreachable, out of time, overloaded; asking again is safe
  2    wrong usage, or the service refused what was asked
  130  interrupted"""

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


def arguments(parser: ArgumentParser) -> None:
    parser.epilog = NOTES
    parser.formatter_class = RawDescriptionHelpFormatter
    add = parser.add_argument
    add("--to", required=True, type=text, metavar="ADDRESS", help="the recipient's address")
    add("--empid", required=True, type=text, metavar="ID", help="the recipient's employee id")
    add("--message", required=True, type=text, metavar="TEXT", help="the subject of the mail")
    add("--name", default="", type=text, metavar="NAME", help="{{username}} in the template")
    add("--at", default="now", metavar="TIME", help=f"{when.FORMS} (%(default)s)")
    add("--validate-only", action="store_true", help="store nothing, show how it would look")
    add("--json", action="store_true", help='print one line: {"job_id": "...", "due": "...", ...}')
    target.add_arguments(parser, os.environ)
    wishes.add_arguments(parser)


def run(chosen: Namespace) -> int:
    now = datetime.now(UTC)
    try:
        at = when.unix_seconds(chosen.at, now=now)
    except ValueError as error:
        print(f"--at: {error}", file=sys.stderr)
        return WRONG
    return ask(chosen, at=at, now=now)


def ask(chosen: Namespace, *, at: int, now: datetime) -> int:
    from gcsched.client import CallFailed, Client, InvalidRequest, scheduled

    with Client(chosen.target, timeout=chosen.timeout) as client:
        try:
            reply = answer(client, chosen, at)
            if chosen.validate_only:
                return previewed(chosen, reply)
            job = scheduled(reply)
        except InvalidRequest as error:
            print("\n".join(["refused:", *advice(error)]), file=sys.stderr)
            return WRONG
        except CallFailed as error:
            print("\n".join([*calling.told(error), *hints(error, at)]), file=sys.stderr)
            return WRONG if is_refusal(error) else FAILED
    due = when.due(at, now=now) if job.due is None or job.state == "QUEUED" else utc(job.due)
    print(as_json(job, due) if chosen.json else as_sentence(job, due))
    return ACCEPTED


def answer(client: "Client", chosen: Namespace, at: int) -> "task_pb2.MeetResponse":
    from gcsched.client import request_for

    more = wishes.chosen_wishes(chosen)
    request = request_for(chosen.empid, chosen.to, chosen.message, chosen.name, at, **more)
    request.validate_only = chosen.validate_only
    reply: task_pb2.MeetResponse = client.call("ScheduleMeet", request)
    return reply


def previewed(chosen: Namespace, reply: "task_pb2.MeetResponse") -> int:
    if not reply.HasField("preview"):
        output.note(
            f"this service is older than --validate-only and has accepted job {reply.job_id}"
        )
        return FAILED
    fate = fields.facts(reply, without=["success", "preview"])
    output.tell(chosen, reply, lambda: [fate, *template.previewing(reply.preview)])
    return ACCEPTED if reply.success else WRONG


def is_refusal(error: "CallFailed") -> bool:
    return error.code == "ALREADY_EXISTS" or error.reason == "REFUSED_DUPLICATE"


def advice(error: "CallFailed") -> list[str]:
    """Repeat what the service says is wrong, by the names that things have here."""
    return [
        f"  {OPTIONS.get(each.field, each.field)}: {each.problem}" for each in error.violations
    ] or [f"  {error}"]


def hints(error: "CallFailed", at: int) -> list[str]:
    """Say how to ask again without a second mail."""
    if not calling.is_no_answer(error):
        return []
    again = "daily" if at == when.DAILY else at
    return [f"To ask again without a second mail, use --at {again}."]


def as_json(job: "Scheduled", due: str | None) -> str:
    told = {"outcome": job.outcome, "state": job.state}
    given = {name: value for name, value in told.items() if value}
    return json.dumps({"job_id": job.job_id, "due": due, **given})


def as_sentence(job: "Scheduled", due: str | None) -> str:
    if job.outcome == "REPLAYED":
        return f"accepted before: job {job.job_id}, {job.state} now"
    return f"accepted: job {job.job_id}, due {here(due) if due else 'with the next daily run'}"


def utc(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def here(due: str) -> str:
    return datetime.fromisoformat(due).astimezone().isoformat()


COMMAND = Command(
    name="schedule",
    help="Ask a running service to mail somebody an invitation at a time.",
    run=run,
    arguments=arguments,
)
