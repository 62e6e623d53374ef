"""Which jobs: the filter options that several commands share."""

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from gcsched.cli import arguments
from gcsched.cli.when import FORMS

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

GIVEN = ("state", "due_from", "due_before", "empid", "email")


def add_arguments(parser: ArgumentParser) -> None:
    shown = parser.add_argument_group(
        "which jobs", "one state, with or without due times; or an employee; or an address"
    ).add_argument
    shown(
        "--state",
        type=str.upper,
        choices=STATES,
        metavar="STATE",
        help=", ".join(STATES).lower(),
    )
    shown("--empid", type=arguments.text, metavar="ID", help="of this employee")
    shown("--email", type=arguments.text, metavar="ADDRESS", help="for this address")
    shown(
        "--due-from", type=arguments.second, metavar="TIME", help=f"due from then on: {moments()}"
    )
    shown("--due-before", type=arguments.second, metavar="TIME", help="due before then")


def moments() -> str:
    return FORMS.replace("daily, ", "")


def is_empty(chosen: Namespace) -> bool:
    return all(getattr(chosen, name) is None for name in GIVEN)


def chosen_filter(chosen: Namespace) -> "task_pb2.JobFilter | None":
    from google.protobuf.timestamp_pb2 import Timestamp

    from gcsched.pb import task_pb2

    if is_empty(chosen):
        return None

    def at(second: int | None) -> Timestamp | None:
        return None if second is None else Timestamp(seconds=second)

    return task_pb2.JobFilter(
        state=chosen.state,
        due_from=at(chosen.due_from),
        due_before=at(chosen.due_before),
        empid=chosen.empid or "",
        email=chosen.email or "",
    )
