"""`gcsched job`: show, list and count jobs, and change one."""

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from gcsched.cli import filters, output, paging
from gcsched.cli.call import with_client, with_client_arguments
from gcsched.cli.command import Command, CommandGroup
from gcsched.cli.commands import job_actions, job_view
from gcsched.cli.exit_codes import DONE
from gcsched.cli.job_ids import expand_job_id

if TYPE_CHECKING:
    from gcsched.client import Client


def show_job(service: "Client", chosen: Namespace) -> int:
    from gcsched.pb import task_pb2

    request = task_pb2.GetJobRequest(job_id=expand_job_id(service, chosen.id))
    return job_view.print_job(chosen, service.call("GetJob", request))


def add_list_arguments(parser: ArgumentParser) -> None:
    filters.add_arguments(parser)
    parser.add_argument(
        "--order",
        choices=filters.ORDERS,
        metavar="ORDER",
        help=f"{' or '.join(filters.CREATION_ORDERS)};"
        f" with --state {' or '.join(filters.DUE_ORDERS)}",
    )
    paging.add_argument(parser)
    parser.add_argument(
        "--full", action="store_true", help="include message, variables, attempts and steps"
    )


def list_jobs(service: "Client", chosen: Namespace) -> int:
    from gcsched.pb import task_pb2

    filters.ensure_supported(chosen, order=chosen.order or "")
    request = task_pb2.ListJobsRequest(
        filter=filters.build_filter(chosen),
        order=chosen.order and chosen.order.upper().replace("-", "_"),
        view=task_pb2.Job.FULL if chosen.full else task_pb2.Job.BASIC,
    )
    found = paging.iterate_items(service, "ListJobs", request, field="jobs", limit=chosen.limit)
    jobs = filters.verify_jobs(chosen, found)
    if chosen.json:
        paging.print_json_lines(jobs)
    elif chosen.full:
        output.print_blocks([block for job in jobs for block in job_view.format_job(job)])
    else:
        output.print_blocks([job_view.format_jobs(jobs)])
    return DONE


def count_jobs(service: "Client", chosen: Namespace) -> int:
    from gcsched.pb import task_pb2

    filters.ensure_supported(chosen)
    request = task_pb2.CountJobsRequest(filter=filters.build_filter(chosen))
    if chosen.request_id is None:
        filters.ensure_filter_is_known(service, chosen)
        reply = service.call("CountJobs", request)
    else:
        reply = task_pb2.CountJobsResponse(count=count_by_listing(service, chosen))
    more = "more than " if reply.has_more else ""
    output.print_message(chosen, reply, lambda: [f"{more}{reply.count}"])
    return DONE


def count_by_listing(service: "Client", chosen: Namespace) -> int:
    """Count the jobs of a request id by listing them, so that their request ids can be verified.

    A service that is older than the field would ignore it and count other jobs.
    """
    from gcsched.pb import task_pb2

    request = task_pb2.ListJobsRequest(filter=filters.build_filter(chosen))
    found = paging.iterate_items(service, "ListJobs", request, field="jobs", limit=0)
    return sum(1 for _ in filters.verify_jobs(chosen, found))


COMMANDS = CommandGroup(
    name="job",
    help="Show, list and count jobs, and change one.",
    commands=(
        Command(
            name="show",
            help="Show a job with its attempts, and with the steps of callers.",
            run=with_client(show_job),
            arguments=with_client_arguments(job_actions.add_id_argument),
        ),
        Command(
            name="list",
            help="List jobs; without a filter, the newest.",
            run=with_client(list_jobs),
            arguments=with_client_arguments(add_list_arguments),
        ),
        Command(
            name="count",
            help="Count jobs, exactly up to 10,000.",
            run=with_client(count_jobs),
            arguments=with_client_arguments(filters.add_arguments),
        ),
        *job_actions.COMMANDS,
    ),
)
