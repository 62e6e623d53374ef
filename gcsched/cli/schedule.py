"""`gcsched schedule`: ask a running service for one invitation, as any caller would."""

import json
import os
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace, RawDescriptionHelpFormatter
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from gcsched.cli import target, when
from gcsched.cli.command import Command

if TYPE_CHECKING:
    from gcsched.client import CallFailed, Scheduled

ACCEPTED = 0
FAILED = 1
WRONG = 2
NOTES = """\
The same invitation (same --empid, --to, --message and second) is one job, however often it is
asked for. `now` and `+10m` mean another second each time; to repeat a command, name the second.

exit codes:
  0    accepted: the job is stored safely
  1    failed: unreachable, out of time, overloaded; asking again is safe
  2    wrong usage, or the service refused what was asked
  130  interrupted"""

OPTIONS = {
    "empid": "--empid",
    "emailID": "--to",
    "message": "--message",
    "empName": "--name",
    "timestamp": "--at",
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
    add("--json", action="store_true", help='print one line: {"job_id": "...", "due": "..."}')
    target.add_arguments(parser, os.environ)


def text(given: str) -> str:
    if not given.isprintable() and any("\ud800" <= each <= "\udfff" for each in given):
        raise ArgumentTypeError(f"{given!r} is not valid UTF-8")
    return given


def run(chosen: Namespace) -> int:
    now = datetime.now(UTC)
    try:
        at = when.unix_seconds(chosen.at, now=now)
    except ValueError as error:
        print(f"--at: {error}", file=sys.stderr)
        return WRONG
    return ask(chosen, at=at, now=now)


def ask(chosen: Namespace, *, at: int, now: datetime) -> int:
    from gcsched.client import CallFailed, Client, InvalidRequest

    with Client(chosen.target, timeout=chosen.timeout) as client:
        try:
            job = client.schedule_meet(
                empid=chosen.empid,
                email=chosen.to,
                message=chosen.message,
                name=chosen.name,
                at=at,
            )
        except InvalidRequest as error:
            print("\n".join(["refused:", *advice(error)]), file=sys.stderr)
            return WRONG
        except CallFailed as error:
            print("\n".join([str(error), *hints(error, at)]), file=sys.stderr)
            return FAILED
    due = when.due(at, now=now)
    print(as_json(job, due) if chosen.json else as_sentence(job, due))
    return ACCEPTED


def advice(error: "CallFailed") -> list[str]:
    """Repeat what the service says is wrong, by the names that things have here."""
    return [
        f"  {OPTIONS.get(each.field, each.field)}: {each.problem}" for each in error.violations
    ] or [f"  {error}"]


def hints(error: "CallFailed", at: int) -> list[str]:
    """Say what can be done about *error*: look elsewhere, or ask again."""
    from gcsched.client import Overloaded, TimedOut, Unavailable

    said = []
    if isinstance(error, Unavailable) and not error.reason:
        said.append("Is gcsched running there? --target or GCSCHED_TARGET names another place.")
    if isinstance(error, TimedOut):
        said.append("Nobody answers there, or the service waits for its stores: its log says so.")
    if isinstance(error, TimedOut | Unavailable | Overloaded):
        again = "daily" if at == when.DAILY else at
        said.append(f"To ask again without a second mail, use --at {again}.")
    return said


def as_json(job: "Scheduled", due: str | None) -> str:
    return json.dumps({"job_id": job.job_id, "due": due})


def as_sentence(job: "Scheduled", due: str | None) -> str:
    return f"accepted: job {job.job_id}, due {due or 'with the next daily run'}"


COMMAND = Command(
    name="schedule",
    help="Ask a running service to mail somebody an invitation at a time.",
    run=run,
    arguments=arguments,
)
