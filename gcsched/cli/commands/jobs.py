"""`gcsched jobs`: change all jobs of a filter at once, after a confirmation."""

from argparse import ArgumentParser, Namespace
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gcsched.cli import arguments, confirm, filters, output
from gcsched.cli.call import BULK_TIMEOUT_SECONDS, RunWithClient, with_client, with_client_arguments
from gcsched.cli.command import Command, CommandGroup
from gcsched.cli.exit_codes import DONE
from gcsched.cli.failure import WrongUsage

if TYPE_CHECKING:
    from gcsched.client import Client
    from gcsched.pb import task_pb2


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkCommand:
    """A bulk change: its method, and its verb for the question and the report."""

    method: str
    verb: str
    past_tense: str


CANCEL = BulkCommand(method="CancelJobs", verb="cancel", past_tense="cancelled")
RETRY = BulkCommand(method="RetryJobs", verb="retry", past_tense="retried")


def add_selection_arguments(parser: ArgumentParser) -> None:
    filters.add_arguments(parser)
    parser.add_argument("--all", action="store_true", help="change all jobs, instead of a filter")
    parser.add_argument("--dry-run", action="store_true", help="count the jobs, change nothing")
    confirm.add_argument(parser)


def add_bulk_cancel_arguments(parser: ArgumentParser) -> None:
    add_selection_arguments(parser)
    parser.add_argument(
        "--reason", default="", type=arguments.parse_text, help="kept as the reason of each job"
    )


def make_runner(change: BulkCommand) -> RunWithClient:
    def act(service: "Client", chosen: Namespace) -> int:
        # Neither could mean all jobs by mistake, and both contradict each other.
        if chosen.all is not filters.is_empty(chosen):
            raise WrongUsage("specify a filter or --all")
        filters.ensure_supported(chosen)
        request = build_request(chosen)
        if chosen.yes or chosen.dry_run:
            filters.ensure_filter_is_known(service, chosen)
            return print_change(change, chosen, service.call(change.method, request))
        confirm.ensure_can_ask(chosen)  # before the count, which may take long
        filters.ensure_filter_is_known(service, chosen)
        counted = service.call(change.method, as_dry_run(request))
        if not counted.count:
            return print_change(change, chosen, counted)
        question = f"{change.verb.capitalize()} {format_job_count(counted.count)}?"
        confirm.require_confirmation(chosen, question)
        # Jobs may have changed since the count: the reply has the number that was changed.
        return print_change(change, chosen, service.call(change.method, request))

    return act


def print_change(
    change: BulkCommand, chosen: Namespace, reply: "task_pb2.ChangeJobsResponse"
) -> int:
    words = f"would {change.verb}" if chosen.dry_run else change.past_tense
    output.print_message(chosen, reply, lambda: [f"{words} {format_job_count(reply.count)}"])
    return DONE


def build_request(chosen: Namespace) -> "task_pb2.ChangeJobsRequest":
    from gcsched.pb import task_pb2

    return task_pb2.ChangeJobsRequest(
        filter=filters.build_filter(chosen),
        all=chosen.all,
        validate_only=chosen.dry_run,
        reason=getattr(chosen, "reason", ""),
    )


def as_dry_run(request: "task_pb2.ChangeJobsRequest") -> "task_pb2.ChangeJobsRequest":
    dry_run = type(request)(validate_only=True)
    dry_run.MergeFrom(request)
    return dry_run


def format_job_count(count: int) -> str:
    return "1 job" if count == 1 else f"{count:,} jobs"


COMMANDS = CommandGroup(
    name="jobs",
    help="Change all jobs of a filter at once.",
    commands=(
        Command(
            name="cancel",
            help="Cancel all waiting jobs of a filter.",
            run=with_client(make_runner(CANCEL)),
            arguments=with_client_arguments(
                add_bulk_cancel_arguments, timeout=BULK_TIMEOUT_SECONDS
            ),
        ),
        Command(
            name="retry",
            help="Retry all jobs of a filter that can be retried; they become due now.",
            run=with_client(make_runner(RETRY)),
            arguments=with_client_arguments(add_selection_arguments, timeout=BULK_TIMEOUT_SECONDS),
        ),
    ),
)
