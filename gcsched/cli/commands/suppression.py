"""`gcsched suppression`: the addresses that get no mail."""

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from gcsched.cli import arguments, fields, output, paging
from gcsched.cli.call import addressed, calling
from gcsched.cli.command import Command, Group
from gcsched.cli.exit_codes import DONE
from gcsched.cli.values import MOMENTS

if TYPE_CHECKING:
    from gcsched.client import Client

IN_LISTS = ("email", "expire_time", "create_time", "job_id", "reason")


def list_all(service: "Client", chosen: Namespace) -> int:
    from gcsched.pb import task_pb2

    found = paging.items(
        service,
        "ListSuppressions",
        task_pb2.ListSuppressionsRequest(),
        field="suppressions",
        limit=chosen.limit,
    )
    if chosen.json:
        paging.as_json(found)
    else:
        output.show([fields.table(found, IN_LISTS, kept=4)])
    return DONE


def of_an_address(parser: ArgumentParser) -> None:
    parser.add_argument("email", type=arguments.text, metavar="ADDRESS", help="the address")


def blocked(parser: ArgumentParser) -> None:
    of_an_address(parser)
    add = parser.add_argument
    add("--reason", required=True, type=arguments.text, help="why it gets no mail")
    add(
        "--expire-time",
        type=arguments.second,
        metavar="TIME",
        help=f"{MOMENTS}; unset: as the operator has set it",
    )


def show(service: "Client", chosen: Namespace) -> int:
    from gcsched.pb import task_pb2

    request = task_pb2.GetSuppressionRequest(email=chosen.email)
    found = service.call("GetSuppression", request)
    output.tell(chosen, found, lambda: [fields.facts(found)])
    return DONE


def add(service: "Client", chosen: Namespace) -> int:
    from google.protobuf.timestamp_pb2 import Timestamp

    from gcsched.pb import task_pb2

    until = None if chosen.expire_time is None else Timestamp(seconds=chosen.expire_time)
    request = task_pb2.AddSuppressionRequest(email=chosen.email, reason=chosen.reason, expire_time=until)
    added = service.call("AddSuppression", request)
    output.tell(chosen, added, lambda: [fields.facts(added)])
    return DONE


def remove(service: "Client", chosen: Namespace) -> int:
    from gcsched.pb import task_pb2

    request = task_pb2.RemoveSuppressionRequest(email=chosen.email)
    reply = service.call("RemoveSuppression", request)
    output.tell(chosen, reply, lambda: ["gets mail again:", fields.facts(reply.suppression)])
    return DONE


COMMANDS = Group(
    name="suppression",
    help="The addresses that get no mail.",
    commands=(
        Command(
            name="list",
            help="List them in alphabetical order.",
            run=calling(list_all),
            arguments=addressed(paging.add_argument),
        ),
        Command(
            name="show",
            help="Show what blocks an address, in any spelling.",
            run=calling(show),
            arguments=addressed(of_an_address),
        ),
        Command(
            name="add",
            help="Block an address, or change until when.",
            run=calling(add),
            arguments=addressed(blocked),
        ),
        Command(
            name="remove",
            help="Free an address.",
            run=calling(remove),
            arguments=addressed(of_an_address),
        ),
    ),
)
