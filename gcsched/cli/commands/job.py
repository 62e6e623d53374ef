"""`gcsched job`: see one job or many, and steer one."""

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from gcsched.cli import filters, output, paging
from gcsched.cli.call import addressed, calling
from gcsched.cli.command import Command, Group
from gcsched.cli.commands import job_actions, job_view
from gcsched.cli.exit_codes import DONE
from gcsched.cli.job_ids import whole

if TYPE_CHECKING:
    from gcsched.client import Client


def show(service: "Client", chosen: Namespace) -> int:
    from gcsched.pb import task_pb2

    request = task_pb2.GetJobRequest(job_id=whole(service, chosen.id))
    return job_view.told(chosen, service.call("GetJob", request))


def listed(parser: ArgumentParser) -> None:
    filters.add_arguments(parser)
    parser.add_argument(
        "--order",
        choices=filters.ORDERS,
        metavar="ORDER",
        help=f"{' or '.join(filters.BY_CREATION)}; with --state {' or '.join(filters.BY_DUE)}",
    )
    paging.add_argument(parser)
    parser.add_argument("--full", action="store_true", help="with message, variables and attempts")


def list_jobs(service: "Client", chosen: Namespace) -> int:
    from gcsched.pb import task_pb2

    filters.ensure_served(chosen, order=chosen.order or "")
    request = task_pb2.ListJobsRequest(
        filter=filters.chosen_filter(chosen),
        order=chosen.order and chosen.order.upper().replace("-", "_"),
        view=task_pb2.Job.FULL if chosen.full else task_pb2.Job.BASIC,
    )
    found = paging.items(service, "ListJobs", request, field="jobs", limit=chosen.limit)
    jobs = filters.asked_for(chosen, found)
    if chosen.json:
        paging.as_json(jobs)
    elif chosen.full:
        output.show([block for job in jobs for block in job_view.detailed(job)])
    else:
        output.show([job_view.listed(jobs)])
    return DONE


def count(service: "Client", chosen: Namespace) -> int:
    from gcsched.pb import task_pb2

    filters.ensure_served(chosen)
    request = task_pb2.CountJobsRequest(filter=filters.chosen_filter(chosen))
    if chosen.request_id is None:
        reply = service.call("CountJobs", request)
    else:
        reply = task_pb2.CountJobsResponse(count=listed_and_counted(service, chosen))
    more = "more than " if reply.has_more else ""
    output.tell(chosen, reply, lambda: [f"{more}{reply.count}"])
    return DONE


def listed_and_counted(service: "Client", chosen: Namespace) -> int:
    """Count the few jobs of a request id by what they are: a count alone could be of any jobs."""
    from gcsched.pb import task_pb2

    request = task_pb2.ListJobsRequest(filter=filters.chosen_filter(chosen))
    found = paging.items(service, "ListJobs", request, field="jobs", limit=0)
    return sum(1 for _ in filters.asked_for(chosen, found))


COMMANDS = Group(
    name="job",
    help="See one job or many, and steer one.",
    commands=(
        Command(
            name="show",
            help="Show a job with its attempts.",
            run=calling(show),
            arguments=addressed(job_actions.identified),
        ),
        Command(
            name="list",
            help="List jobs; without a filter, the newest ones.",
            run=calling(list_jobs),
            arguments=addressed(listed),
        ),
        Command(
            name="count",
            help="Count jobs, exactly up to 10,000.",
            run=calling(count),
            arguments=addressed(filters.add_arguments),
        ),
        *job_actions.COMMANDS,
    ),
)
