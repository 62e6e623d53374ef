"""`gcsched suppression`: list, add and remove suppressions."""

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from gcsched.cli import arguments, fields, output, paging
from gcsched.cli.call import with_client, with_client_arguments
from gcsched.cli.command import Command, CommandGroup
from gcsched.cli.exit_codes import DONE
from gcsched.cli.times import TIME_FORMS_WITHOUT_DAILY

if TYPE_CHECKING:
    from gcsched.client import Client

LIST_COLUMNS = ("email", "expire_time", "create_time", "job_id", "reason")


def list_suppressions(service: "Client", chosen: Namespace) -> int:
    from gcsched.pb import task_pb2

    found = paging.iterate_items(
        service,
        "ListSuppressions",
        task_pb2.ListSuppressionsRequest(),
        field="suppressions",
        limit=chosen.limit,
    )
    if chosen.json:
        paging.print_json_lines(found)
    else:
        output.print_blocks([fields.tabulate_messages(found, LIST_COLUMNS, uncut_columns=4)])
    return DONE


def add_address_argument(parser: ArgumentParser) -> None:
    parser.add_argument("email", type=arguments.parse_text, metavar="ADDRESS", help="the address")


def add_suppression_arguments(parser: ArgumentParser) -> None:
    add_address_argument(parser)
    add = parser.add_argument
    add("--reason", required=True, type=arguments.parse_text, help="why the address gets no mail")
    add(
        "--expire-time",
        type=arguments.parse_second,
        metavar="TIME",
        help=f"{TIME_FORMS_WITHOUT_DAILY}; unset: as the service is configured",
    )


def show_suppression(service: "Client", chosen: Namespace) -> int:
    from gcsched.pb import task_pb2

    request = task_pb2.GetSuppressionRequest(email=chosen.email)
    found = service.call("GetSuppression", request)
    output.print_message(chosen, found, lambda: [fields.tabulate_fields(found)])
    return DONE


def add_suppression(service: "Client", chosen: Namespace) -> int:
    from google.protobuf.timestamp_pb2 import Timestamp

    from gcsched.pb import task_pb2

    expire_time = None if chosen.expire_time is None else Timestamp(seconds=chosen.expire_time)
    request = task_pb2.AddSuppressionRequest(
        email=chosen.email, reason=chosen.reason, expire_time=expire_time
    )
    added = service.call("AddSuppression", request)
    output.print_message(chosen, added, lambda: [fields.tabulate_fields(added)])
    return DONE


def remove_suppression(service: "Client", chosen: Namespace) -> int:
    from gcsched.pb import task_pb2

    request = task_pb2.RemoveSuppressionRequest(email=chosen.email)
    reply = service.call("RemoveSuppression", request)
    output.print_message(
        chosen, reply, lambda: ["suppression removed:", fields.tabulate_fields(reply.suppression)]
    )
    return DONE


COMMANDS = CommandGroup(
    name="suppression",
    help="List, add and remove suppressions: the addresses that get no mail.",
    commands=(
        Command(
            name="list",
            help="List suppressions in alphabetical order of their addresses.",
            run=with_client(list_suppressions),
            arguments=with_client_arguments(paging.add_argument),
        ),
        Command(
            name="show",
            help="Show the suppression of an address, in any spelling.",
            run=with_client(show_suppression),
            arguments=with_client_arguments(add_address_argument),
        ),
        Command(
            name="add",
            help="Suppress an address, or change its expire time.",
            run=with_client(add_suppression),
            arguments=with_client_arguments(add_suppression_arguments),
        ),
        Command(
            name="remove",
            help="Remove the suppression of an address.",
            run=with_client(remove_suppression),
            arguments=with_client_arguments(add_address_argument),
        ),
    ),
)
