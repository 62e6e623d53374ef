"""The filter options that several commands share."""

from argparse import Action, ArgumentError, ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gcsched.cli import arguments, paging
from gcsched.cli.failure import NotDone, WrongUsage
from gcsched.cli.times import TIME_FORMS_WITHOUT_DAILY

if TYPE_CHECKING:
    from gcsched.client import Client
    from gcsched.pb import task_pb2

STATES = (
    "QUEUED",
    "SCHEDULED",
    "SENDING",
    "RETRYING",
    "UNCERTAIN",
    "SENT",
    "FAILED",
    "CANCELLED",
    "EXPIRED",
    "SUPPRESSED",
)
"""The values of Job.State, repeated here so that --help need not import the contract."""


def parse_state(given: str) -> str:
    if given.upper() not in STATES:
        raise ArgumentTypeError(
            f"invalid state {given!r}: expected one of {', '.join(STATES).lower()}"
        )
    return given.upper()


FIELD_PARSERS: Mapping[str, Callable[[str], Any]] = {
    "state": parse_state,
    "due_time_from": arguments.parse_second,
    "due_time_before": arguments.parse_second,
    "empid": arguments.parse_text,
    "email": arguments.parse_text,
    "request_id": arguments.parse_text,
    "meeting_id": arguments.parse_text,
    "client": arguments.parse_text,
}
"""Field of JobFilter → parser of its value."""

STATE_FIELDS = ("state", "due_time_from", "due_time_before")
CREATION_ORDERS = ("create-time-desc", "create-time-asc")
DUE_ORDERS = ("due-time-asc", "due-time-desc")
ORDERS = (*CREATION_ORDERS, *DUE_ORDERS)
COMBINATIONS = (
    "filter by a state, with or without due times, or by an employee, an address, a request id or a"
    " meeting; each also with a client, or by a client alone"
)
"""The filters that the service has an index for."""


class FilterAction(Action):
    """Parse several fields in one argument: ``--filter 'state=failed due_time_before=+2h'``."""

    def __call__(
        self, parser: ArgumentParser, namespace: Namespace, values: Any, _: str | None = None
    ) -> None:
        del parser
        try:
            for name, value in map(arguments.parse_pair, str(values).split()):
                set_once(namespace, parse_field_name(name), value)
        except ArgumentTypeError as error:  # argparse converts it in a *type*, not in an action
            raise ArgumentError(self, str(error)) from error


def set_once(namespace: Namespace, name: str, value: str) -> None:
    if getattr(namespace, name) is not None:
        raise ArgumentTypeError(f"duplicate filter field {name!r}: specify it once")
    setattr(namespace, name, FIELD_PARSERS[name](value))


def parse_field_name(name: str) -> str:
    if (found := name.replace("-", "_")) not in FIELD_PARSERS:
        raise ArgumentTypeError(
            f"unknown filter field {name!r}: expected one of {', '.join(FIELD_PARSERS)}"
        )
    return found


def add_arguments(parser: ArgumentParser) -> None:
    add = parser.add_argument_group("which jobs", COMBINATIONS).add_argument
    add("--state", type=parse_state, metavar="STATE", help=", ".join(STATES).lower())
    add("--empid", type=arguments.parse_text, metavar="ID", help="jobs of this employee")
    add("--email", type=arguments.parse_text, metavar="ADDRESS", help="jobs for this address")
    add("--request-id", type=arguments.parse_text, metavar="ID", help="jobs of this request id")
    add("--meeting-id", type=arguments.parse_text, metavar="ID", help="jobs of this meeting")
    add("--client", type=arguments.parse_text, metavar="NAME", help="jobs that it scheduled")
    add(
        "--due-time-from",
        type=arguments.parse_second,
        metavar="TIME",
        help=f"due at this time or later: {TIME_FORMS_WITHOUT_DAILY}",
    )
    add(
        "--due-time-before",
        type=arguments.parse_second,
        metavar="TIME",
        help="due before this time",
    )
    add(
        "--filter",
        action=FilterAction,
        metavar="FIELDS",
        help="several fields in one argument: 'state=failed due_time_before=+2h'",
    )


def is_empty(chosen: Namespace) -> bool:
    return all(getattr(chosen, name) is None for name in FIELD_PARSERS)


def ensure_supported(chosen: Namespace, *, order: str = "") -> None:
    """Raise WrongUsage for a filter, or an *order* of one, that the service has no index for.

    The check is made here too, because a service that is older than request ids ignores that field
    and would apply the rest of the filter.
    """
    # A state and its due times are one kind: the same index serves them. Any may have a client.
    given = [
        name for name in FIELD_PARSERS if name != "client" and getattr(chosen, name) is not None
    ]
    kinds = {"state" if name in STATE_FIELDS else name for name in given}
    if len(kinds) > 1:
        raise WrongUsage(f"cannot combine {format_options(given, 'and')}: {COMBINATIONS}")
    if kinds == {"state"} and "state" not in given:
        raise WrongUsage(f"cannot use {format_options(given, 'and')} without --state: add a state")
    orders = DUE_ORDERS if kinds == {"state"} else CREATION_ORDERS
    if order and order not in orders:
        where = f"with {format_options(given, 'and')}" if given else "without --state"
        raise WrongUsage(f"cannot use --order {order} {where}: use {' or '.join(orders)}")


def format_options(names: Sequence[str], last: str) -> str:
    *others, end = [f"--{name.replace('_', '-')}" for name in names]
    return f"{', '.join(others)} {last} {end}" if others else end


def build_filter(chosen: Namespace) -> "task_pb2.JobFilter | None":
    from google.protobuf.timestamp_pb2 import Timestamp

    from gcsched.pb import task_pb2

    if is_empty(chosen):
        return None

    def at(second: int | None) -> Timestamp | None:
        return None if second is None else Timestamp(seconds=second)

    return task_pb2.JobFilter(
        state=chosen.state,
        due_time_from=at(chosen.due_time_from),
        due_time_before=at(chosen.due_time_before),
        empid=chosen.empid or "",
        email=chosen.email or "",
        request_id=chosen.request_id or "",
        meeting_id=chosen.meeting_id or "",
        client=chosen.client or "",
    )


def verify_jobs(chosen: Namespace, jobs: "Iterable[task_pb2.Job]") -> "Iterator[task_pb2.Job]":
    """Yield *jobs*; raise NotDone at one of another request id, meeting or client than chosen.

    A service that is older than these fields ignores them and lists other jobs.
    """
    for job in jobs:
        if chosen.request_id is not None and job.request_id != chosen.request_id:
            raise NotDone(
                f"this service is older than --request-id and listed job {job.job_id} of another"
                f" request: use --empid or --email, or upgrade the service"
            )
        if chosen.meeting_id is not None and job.meeting_id != chosen.meeting_id:
            raise NotDone(
                f"this service is older than --meeting-id and listed job {job.job_id} of another"
                f" meeting: use --email, or upgrade the service"
            )
        if chosen.client is not None and job.client != chosen.client:
            raise NotDone(
                f"this service is older than --client and listed job {job.job_id} of another"
                f" client: leave out --client, or upgrade the service"
            )
        yield job


def ensure_filter_is_known(service: "Client", chosen: Namespace) -> None:
    """Raise NotDone if the service is older than --client or --meeting-id.

    It would count or change other jobs.
    """
    from gcsched.client import CallFailed
    from gcsched.pb import task_pb2

    if chosen.client is None and chosen.meeting_id is None:
        return
    request = task_pb2.ListJobsRequest(filter=build_filter(chosen))
    found = paging.iterate_items(service, "ListJobs", request, field="jobs", limit=1)
    try:
        next(verify_jobs(chosen, found), None)
    except CallFailed as error:
        if error.code != "PERMISSION_DENIED":  # a service that has scopes knows the field
            raise
