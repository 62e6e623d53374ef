"""Which jobs: the filter options that several commands share."""

from argparse import Action, ArgumentError, ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gcsched.cli import arguments
from gcsched.cli.failure import NotDone, WrongUsage
from gcsched.cli.times import TIME_FORMS_WITHOUT_DAILY

if TYPE_CHECKING:
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
"""Those of Job.State; written here, so that --help need not load the contract."""


def parse_state(given: str) -> str:
    if given.upper() not in STATES:
        raise ArgumentTypeError(
            f"{given!r} is not a state; write one of {', '.join(STATES).lower()}"
        )
    return given.upper()


FIELD_PARSERS: Mapping[str, Callable[[str], Any]] = {
    "state": parse_state,
    "due_time_from": arguments.parse_second,
    "due_time_before": arguments.parse_second,
    "empid": arguments.parse_text,
    "email": arguments.parse_text,
    "request_id": arguments.parse_text,
}
"""The fields of JobFilter, each with what reads it."""


STATE_FIELDS = ("state", "due_time_from", "due_time_before")
CREATION_ORDERS = ("create-time-desc", "create-time-asc")
DUE_ORDERS = ("due-time-asc", "due-time-desc")
ORDERS = (*CREATION_ORDERS, *DUE_ORDERS)
COMBINATIONS = (
    "name a state, with or without due times, or an employee, or an address, or a request id"
)


class FilterAction(Action):
    """Several fields in one argument, as in ``--filter 'state=failed due_time_before=+2h'``."""

    def __call__(
        self, parser: ArgumentParser, namespace: Namespace, values: Any, _: str | None = None
    ) -> None:
        del parser
        try:
            for name, value in map(arguments.parse_pair, str(values).split()):
                set_once(namespace, parse_field_name(name), value)
        except ArgumentTypeError as error:
            raise ArgumentError(self, str(error)) from error


def set_once(namespace: Namespace, name: str, value: str) -> None:
    if getattr(namespace, name) is not None:
        raise ArgumentTypeError(f"{name!r} is given twice")
    setattr(namespace, name, FIELD_PARSERS[name](value))


def parse_field_name(name: str) -> str:
    if (found := name.replace("-", "_")) not in FIELD_PARSERS:
        raise ArgumentTypeError(
            f"{name!r} is not a field; write some of {', '.join(FIELD_PARSERS)}"
        )
    return found


def add_arguments(parser: ArgumentParser) -> None:
    shown = parser.add_argument_group(
        "which jobs",
        COMBINATIONS,
    ).add_argument
    shown("--state", type=parse_state, metavar="STATE", help=", ".join(STATES).lower())
    shown("--empid", type=arguments.parse_text, metavar="ID", help="of this employee")
    shown("--email", type=arguments.parse_text, metavar="ADDRESS", help="for this address")
    shown("--request-id", type=arguments.parse_text, metavar="ID", help="asked for with this id")
    shown(
        "--due-time-from",
        type=arguments.parse_second,
        metavar="TIME",
        help=f"due from then on: {TIME_FORMS_WITHOUT_DAILY}",
    )
    shown("--due-time-before", type=arguments.parse_second, metavar="TIME", help="due before then")
    shown(
        "--filter",
        action=FilterAction,
        metavar="FIELDS",
        help="the same in one: 'state=failed due_time_before=+2h'",
    )


def is_empty(chosen: Namespace) -> bool:
    return all(getattr(chosen, name) is None for name in FIELD_PARSERS)


def ensure_supported(chosen: Namespace, *, order: str = "") -> None:
    """Raise WrongUsage for a filter, or an *order* of one, that the service has no index for.

    A service that is older than request ids would even carry the rest of a filter out without one.
    """
    given = [name for name in FIELD_PARSERS if getattr(chosen, name) is not None]
    kinds = {"state" if name in STATE_FIELDS else name for name in given}
    if len(kinds) > 1:
        raise WrongUsage(f"{format_options(given, 'and')} cannot be combined: {COMBINATIONS}")
    if kinds == {"state"} and "state" not in given:
        raise WrongUsage(f"{format_options(given, 'and')} must go with --state: add a state")
    orders = DUE_ORDERS if kinds == {"state"} else CREATION_ORDERS
    if order and order not in orders:
        what = f"with {format_options(given, 'and')}" if given else "without --state"
        raise WrongUsage(f"--order {order} cannot be had {what}: write {' or '.join(orders)}")


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
    )


def verify_request_ids(
    chosen: Namespace, jobs: "Iterable[task_pb2.Job]"
) -> "Iterator[task_pb2.Job]":
    """Yield *jobs*; raise NotDone at one that is not of the chosen request id."""
    for job in jobs:
        if chosen.request_id is not None and job.request_id != chosen.request_id:
            raise NotDone(
                f"this service is older than --request-id and has listed job {job.job_id} of"
                f" another request; use --empid or --email, or bring the service up to date"
            )
        yield job
