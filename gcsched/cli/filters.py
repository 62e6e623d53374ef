"""Which jobs: the filter options that several commands share."""

from argparse import Action, ArgumentError, ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gcsched.cli import arguments
from gcsched.cli.failure import NotDone, WrongUsage
from gcsched.cli.values import MOMENTS

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


def state(given: str) -> str:
    if given.upper() not in STATES:
        raise ArgumentTypeError(
            f"{given!r} is not a state; write one of {', '.join(STATES).lower()}"
        )
    return given.upper()


GIVEN: Mapping[str, Callable[[str], Any]] = {
    "state": state,
    "due_time_from": arguments.second,
    "due_time_before": arguments.second,
    "empid": arguments.text,
    "email": arguments.text,
    "request_id": arguments.text,
}
"""The fields of JobFilter, each with what reads it."""


OF_A_STATE = ("state", "due_time_from", "due_time_before")
BY_CREATION = ("create-time-desc", "create-time-asc")
BY_DUE = ("due-time-asc", "due-time-desc")
ORDERS = (*BY_CREATION, *BY_DUE)
COMBINATIONS = (
    "name a state, with or without due times, or an employee, or an address, or a request id"
)


class InOne(Action):
    """Several fields in one argument, as in ``--filter 'state=failed due_time_before=+2h'``."""

    def __call__(
        self, parser: ArgumentParser, namespace: Namespace, values: Any, _: str | None = None
    ) -> None:
        del parser
        try:
            for name, value in map(arguments.pair, str(values).split()):
                set_once(namespace, field(name), value)
        except ArgumentTypeError as error:
            raise ArgumentError(self, str(error)) from error


def set_once(namespace: Namespace, name: str, value: str) -> None:
    if getattr(namespace, name) is not None:
        raise ArgumentTypeError(f"{name!r} is given twice")
    setattr(namespace, name, GIVEN[name](value))


def field(name: str) -> str:
    if (found := name.replace("-", "_")) not in GIVEN:
        raise ArgumentTypeError(f"{name!r} is not a field; write some of {', '.join(GIVEN)}")
    return found


def add_arguments(parser: ArgumentParser) -> None:
    shown = parser.add_argument_group(
        "which jobs",
        COMBINATIONS,
    ).add_argument
    shown("--state", type=state, metavar="STATE", help=", ".join(STATES).lower())
    shown("--empid", type=arguments.text, metavar="ID", help="of this employee")
    shown("--email", type=arguments.text, metavar="ADDRESS", help="for this address")
    shown("--request-id", type=arguments.text, metavar="ID", help="asked for with this id")
    shown("--due-time-from", type=arguments.second, metavar="TIME", help=f"due from then on: {MOMENTS}")
    shown("--due-time-before", type=arguments.second, metavar="TIME", help="due before then")
    shown(
        "--filter",
        action=InOne,
        metavar="FIELDS",
        help="the same in one: 'state=failed due_time_before=+2h'",
    )


def is_empty(chosen: Namespace) -> bool:
    return all(getattr(chosen, name) is None for name in GIVEN)


def ensure_served(chosen: Namespace, *, order: str = "") -> None:
    """Raise WrongUsage for a filter, or an *order* of one, that the service has no index for.

    A service that is older than request ids would even carry the rest of a filter out without one.
    """
    given = [name for name in GIVEN if getattr(chosen, name) is not None]
    kinds = {"state" if name in OF_A_STATE else name for name in given}
    if len(kinds) > 1:
        raise WrongUsage(f"{options(given, 'and')} cannot be combined: {COMBINATIONS}")
    if kinds == {"state"} and "state" not in given:
        raise WrongUsage(f"{options(given, 'and')} must go with --state: add a state")
    orders = BY_DUE if kinds == {"state"} else BY_CREATION
    if order and order not in orders:
        what = f"with {options(given, 'and')}" if given else "without --state"
        raise WrongUsage(f"--order {order} cannot be had {what}: write {' or '.join(orders)}")


def options(names: Sequence[str], last: str) -> str:
    *others, end = [f"--{name.replace('_', '-')}" for name in names]
    return f"{', '.join(others)} {last} {end}" if others else end


def chosen_filter(chosen: Namespace) -> "task_pb2.JobFilter | None":
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


def asked_for(chosen: Namespace, jobs: "Iterable[task_pb2.Job]") -> "Iterator[task_pb2.Job]":
    """Yield *jobs*; raise NotDone at one that is not of the chosen request id."""
    for job in jobs:
        if chosen.request_id is not None and job.request_id != chosen.request_id:
            raise NotDone(
                f"this service is older than --request-id and has listed job {job.job_id} of"
                f" another request; use --empid or --email, or bring the service up to date"
            )
        yield job
