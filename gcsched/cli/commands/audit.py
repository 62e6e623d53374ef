"""`gcsched audit`: list what callers did to many jobs or to the whole service."""

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from gcsched.cli import arguments, fields, output, paging
from gcsched.cli.call import COMMON_OPTION_NAMES, with_client, with_client_arguments
from gcsched.cli.command import Command
from gcsched.cli.exit_codes import DONE
from gcsched.cli.times import TIME_FORMS_WITHOUT_DAILY

if TYPE_CHECKING:
    from google.protobuf.timestamp_pb2 import Timestamp

    from gcsched.client import Client

LIST_COLUMNS = ("time", "client", "method", "outcome", "count", "error", "details")
OPTION_NAMES = {
    **COMMON_OPTION_NAMES,
    "client": "--client",
    "subject": "--subject",
    "from_time": "--since",
    "before_time": "--until",
}


def add_list_arguments(parser: ArgumentParser) -> None:
    add = parser.add_argument
    add("--client", default="", type=arguments.parse_text, help="only what this client did")
    add(
        "--subject",
        default="",
        type=arguments.parse_text,
        metavar="EMPID|ADDRESS",
        help="only what was done about this employee id or address",
    )
    add(
        "--since",
        type=arguments.parse_second,
        metavar="TIME",
        help=f"only from this time on: {TIME_FORMS_WITHOUT_DAILY}",
    )
    add(
        "--until",
        type=arguments.parse_second,
        metavar="TIME",
        help="only before this time",
    )
    paging.add_argument(parser)


def list_audit(service: "Client", chosen: Namespace) -> int:
    from gcsched.pb import task_pb2

    request = task_pb2.ListAuditRequest(
        client=chosen.client,
        subject=chosen.subject,
        from_time=build_timestamp(chosen.since),
        before_time=build_timestamp(chosen.until),
    )
    found = paging.iterate_items(service, "ListAudit", request, field="entries", limit=chosen.limit)
    if chosen.json:
        paging.print_json_lines(found)
    else:
        output.print_blocks([fields.tabulate_messages(found, LIST_COLUMNS, uncut_columns=4)])
    return DONE


def build_timestamp(second: int | None) -> "Timestamp | None":
    from google.protobuf.timestamp_pb2 import Timestamp

    return None if second is None else Timestamp(seconds=second)


COMMAND = Command(
    name="audit",
    help="List what callers did to many jobs or to the whole service, the latest first.",
    run=with_client(list_audit, OPTION_NAMES),
    arguments=with_client_arguments(add_list_arguments),
)
