"""Commands that change one job; each shows the job after the change."""

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from gcsched.cli import arguments, times
from gcsched.cli.call import with_client, with_client_arguments
from gcsched.cli.command import Command
from gcsched.cli.commands import job_view
from gcsched.cli.job_ids import expand_job_id

if TYPE_CHECKING:
    from gcsched.client import Client


def add_id_argument(parser: ArgumentParser) -> None:
    parser.add_argument(
        "id",
        type=arguments.parse_text,
        metavar="ID",
        help="the id of the job, or its first characters (at least 4) if they are unique",
    )


def add_change_arguments(parser: ArgumentParser) -> None:
    add_id_argument(parser)
    parser.add_argument(
        "--etag",
        default="",
        type=arguments.parse_text,
        help="from `job show`: refuse if the job has changed since",
    )


def add_cancel_arguments(parser: ArgumentParser) -> None:
    add_change_arguments(parser)
    parser.add_argument(
        "--reason", default="", type=arguments.parse_text, help="kept as the reason of the job"
    )


def cancel(service: "Client", chosen: Namespace) -> int:
    from gcsched.pb import task_pb2

    request = task_pb2.CancelJobRequest(
        job_id=expand_job_id(service, chosen.id), etag=chosen.etag, reason=chosen.reason
    )
    return job_view.print_job(chosen, service.call("CancelJob", request))


def add_reschedule_arguments(parser: ArgumentParser) -> None:
    add_change_arguments(parser)
    time = parser.add_mutually_exclusive_group(required=True)
    time.add_argument(
        "--at", type=arguments.parse_second_or_daily, metavar="TIME", help=times.TIME_FORMS
    )
    time.add_argument(
        "--daily", action="store_const", const=times.DAILY, dest="at", help="with the daily run"
    )


def reschedule(service: "Client", chosen: Namespace) -> int:
    from gcsched.pb import task_pb2

    request = task_pb2.RescheduleJobRequest(
        job_id=expand_job_id(service, chosen.id), etag=chosen.etag, timestamp=chosen.at
    )
    return job_view.print_job(chosen, service.call("RescheduleJob", request))


def retry(service: "Client", chosen: Namespace) -> int:
    from gcsched.pb import task_pb2

    request = task_pb2.RetryJobRequest(job_id=expand_job_id(service, chosen.id), etag=chosen.etag)
    return job_view.print_job(chosen, service.call("RetryJob", request))


def add_resolve_arguments(parser: ArgumentParser) -> None:
    add_change_arguments(parser)
    state = parser.add_mutually_exclusive_group(required=True)
    for name, meaning in (("SENT", "it was delivered"), ("FAILED", "it was not delivered")):
        state.add_argument(
            f"--{name.lower()}", action="store_const", const=name, dest="state", help=meaning
        )
    parser.add_argument("--reason", required=True, type=arguments.parse_text, help="how you know")


def resolve(service: "Client", chosen: Namespace) -> int:
    from gcsched.pb import task_pb2

    request = task_pb2.ResolveJobRequest(
        job_id=expand_job_id(service, chosen.id),
        etag=chosen.etag,
        state=chosen.state,
        reason=chosen.reason,
    )
    return job_view.print_job(chosen, service.call("ResolveJob", request))


COMMANDS = (
    Command(
        name="cancel",
        help="Cancel a waiting job: it is not mailed.",
        run=with_client(cancel),
        arguments=with_client_arguments(add_cancel_arguments),
    ),
    Command(
        name="reschedule",
        help="Reschedule a waiting job.",
        run=with_client(reschedule),
        arguments=with_client_arguments(add_reschedule_arguments),
    ),
    Command(
        name="retry",
        help="Retry a failed, expired, uncertain or suppressed job; it becomes due now.",
        run=with_client(retry),
        arguments=with_client_arguments(add_change_arguments),
    ),
    Command(
        name="resolve",
        help="Resolve an uncertain job: record whether it was delivered.",
        run=with_client(resolve),
        arguments=with_client_arguments(add_resolve_arguments),
    ),
)
