"""`gcsched jobs`: change all jobs of a filter at once, after asking."""

from argparse import ArgumentParser, Namespace
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gcsched.cli import arguments, confirm, filters, output
from gcsched.cli.call import MANY_SECONDS, Act, addressed, calling
from gcsched.cli.command import Command, Group
from gcsched.cli.exit_codes import DONE
from gcsched.cli.failure import WrongUsage

if TYPE_CHECKING:
    from gcsched.client import Client
    from gcsched.pb import task_pb2


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What is done to many jobs, in the words of a question and of an answer."""

    method: str
    verb: str
    done: str


CANCEL = Change(method="CancelJobs", verb="cancel", done="cancelled")
RETRY = Change(method="RetryJobs", verb="retry", done="retried")


def selected(parser: ArgumentParser) -> None:
    filters.add_arguments(parser)
    parser.add_argument("--all", action="store_true", help="all jobs, instead of a filter")
    parser.add_argument("--dry-run", action="store_true", help="only count")
    confirm.add_argument(parser)


def cancelled(parser: ArgumentParser) -> None:
    selected(parser)
    parser.add_argument(
        "--reason", default="", type=arguments.text, help="kept as the reason of each job"
    )


def changing(change: Change) -> Act:
    def act(service: "Client", chosen: Namespace) -> int:
        if chosen.all is not filters.is_empty(chosen):
            raise WrongUsage("say which jobs: options of a filter, or --all")
        filters.ensure_served(chosen)
        request = request_for(chosen)
        if chosen.yes or chosen.dry_run:
            return told(change, chosen, service.call(change.method, request))
        confirm.ensure_possible(chosen)
        found = service.call(change.method, only_counting(request))
        if not found.count:
            return told(change, chosen, found)
        question = f"{change.verb.capitalize()} {jobs(found.count)}?"
        confirm.permission(chosen, question)
        return told(change, chosen, service.call(change.method, request))

    return act


def told(change: Change, chosen: Namespace, reply: "task_pb2.ChangeJobsResponse") -> int:
    words = f"would {change.verb}" if chosen.dry_run else change.done
    output.tell(chosen, reply, lambda: [f"{words} {jobs(reply.count)}"])
    return DONE


def request_for(chosen: Namespace) -> "task_pb2.ChangeJobsRequest":
    from gcsched.pb import task_pb2

    return task_pb2.ChangeJobsRequest(
        filter=filters.chosen_filter(chosen),
        all=chosen.all,
        validate_only=chosen.dry_run,
        reason=getattr(chosen, "reason", ""),
    )


def only_counting(request: "task_pb2.ChangeJobsRequest") -> "task_pb2.ChangeJobsRequest":
    counting = type(request)(validate_only=True)
    counting.MergeFrom(request)
    return counting


def jobs(count: int) -> str:
    return "1 job" if count == 1 else f"{count:,} jobs"


COMMANDS = Group(
    name="jobs",
    help="Change all jobs of a filter at once.",
    commands=(
        Command(
            name="cancel",
            help="Cancel all jobs of a filter that wait.",
            run=calling(changing(CANCEL)),
            arguments=addressed(cancelled, timeout=MANY_SECONDS),
        ),
        Command(
            name="retry",
            help="Open all jobs of a filter again that can be; they are due now.",
            run=calling(changing(RETRY)),
            arguments=addressed(selected, timeout=MANY_SECONDS),
        ),
    ),
)
