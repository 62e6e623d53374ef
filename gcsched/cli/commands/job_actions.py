"""Commands that steer one job; each answers with the job as it is then."""

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from gcsched.cli import arguments
from gcsched.cli import values as when
from gcsched.cli.call import addressed, calling
from gcsched.cli.command import Command
from gcsched.cli.commands import job_view
from gcsched.cli.job_ids import whole

if TYPE_CHECKING:
    from gcsched.client import Client


def identified(parser: ArgumentParser) -> None:
    parser.add_argument(
        "id",
        type=arguments.text,
        metavar="ID",
        help="the id of the job, or its first characters (4 at least) where they are unique",
    )


def changed(parser: ArgumentParser) -> None:
    identified(parser)
    parser.add_argument(
        "--etag",
        default="",
        type=arguments.text,
        help="as `job show` tells it: refuse when the job has changed since",
    )


def cancelled(parser: ArgumentParser) -> None:
    changed(parser)
    parser.add_argument(
        "--reason", default="", type=arguments.text, help="kept as the reason of the job"
    )


def cancel(service: "Client", chosen: Namespace) -> int:
    from gcsched.pb import task_pb2

    request = task_pb2.CancelJobRequest(
        job_id=whole(service, chosen.id), etag=chosen.etag, reason=chosen.reason
    )
    return job_view.told(chosen, service.call("CancelJob", request))


def rescheduled(parser: ArgumentParser) -> None:
    changed(parser)
    time = parser.add_mutually_exclusive_group(required=True)
    time.add_argument("--at", type=arguments.second_or_daily, metavar="TIME", help=when.FORMS)
    time.add_argument(
        "--daily", action="store_const", const=when.DAILY, dest="at", help="with the daily run"
    )


def reschedule(service: "Client", chosen: Namespace) -> int:
    from gcsched.pb import task_pb2

    request = task_pb2.RescheduleJobRequest(
        job_id=whole(service, chosen.id), etag=chosen.etag, timestamp=chosen.at
    )
    return job_view.told(chosen, service.call("RescheduleJob", request))


def retry(service: "Client", chosen: Namespace) -> int:
    from gcsched.pb import task_pb2

    request = task_pb2.RetryJobRequest(job_id=whole(service, chosen.id), etag=chosen.etag)
    return job_view.told(chosen, service.call("RetryJob", request))


def resolved(parser: ArgumentParser) -> None:
    changed(parser)
    state = parser.add_mutually_exclusive_group(required=True)
    for name, says in (("SENT", "it was delivered"), ("FAILED", "it was not")):
        state.add_argument(
            f"--{name.lower()}", action="store_const", const=name, dest="state", help=says
        )
    parser.add_argument("--reason", required=True, type=arguments.text, help="how you know")


def resolve(service: "Client", chosen: Namespace) -> int:
    from gcsched.pb import task_pb2

    request = task_pb2.ResolveJobRequest(
        job_id=whole(service, chosen.id), etag=chosen.etag, state=chosen.state, reason=chosen.reason
    )
    return job_view.told(chosen, service.call("ResolveJob", request))


COMMANDS = (
    Command(
        name="cancel",
        help="Cancel a job that waits: it is never mailed.",
        run=calling(cancel),
        arguments=addressed(cancelled),
    ),
    Command(
        name="reschedule",
        help="Give a waiting job another time.",
        run=calling(reschedule),
        arguments=addressed(rescheduled),
    ),
    Command(
        name="retry",
        help="Open a failed, expired, uncertain or suppressed job again; it is due now.",
        run=calling(retry),
        arguments=addressed(changed),
    ),
    Command(
        name="resolve",
        help="Say what became of an uncertain job.",
        run=calling(resolve),
        arguments=addressed(resolved),
    ),
)
