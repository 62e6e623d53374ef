"""`gcsched recipient`: what callers told about an employee, and how to erase it."""

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from gcsched.cli import arguments, confirm, fields, output
from gcsched.cli.call import BULK_TIMEOUT_SECONDS, with_client, with_client_arguments
from gcsched.cli.command import Command, CommandGroup
from gcsched.cli.commands.jobs import format_job_count
from gcsched.cli.exit_codes import DONE
from gcsched.domain.caller_text import replace_unprintable

if TYPE_CHECKING:
    from gcsched.client import Client
    from gcsched.pb import task_pb2


def add_empid_argument(parser: ArgumentParser) -> None:
    parser.add_argument("empid", type=arguments.parse_text, metavar="EMPID", help="the employee id")


def add_forget_arguments(parser: ArgumentParser) -> None:
    add_empid_argument(parser)
    confirm.add_argument(parser)


def show_recipient(service: "Client", chosen: Namespace) -> int:
    from gcsched.pb import task_pb2

    found = service.call("GetRecipient", task_pb2.GetRecipientRequest(empid=chosen.empid))
    output.print_message(chosen, found, lambda: [fields.tabulate_fields(found)])
    return DONE


def forget(service: "Client", chosen: Namespace) -> int:
    from gcsched.pb import task_pb2

    confirm.require_confirmation(chosen, f"Erase {chosen.empid}, also in finished jobs?")
    request = task_pb2.ForgetRecipientRequest(empid=chosen.empid)
    reply = service.call("ForgetRecipient", request)
    output.print_message(chosen, reply, lambda: [format_erasure(reply, chosen.empid)])
    return DONE


def format_erasure(reply: "task_pb2.ForgetRecipientResponse", empid: str) -> str:
    if reply.details_erased or not reply.HasField("details_erased"):  # absent: of an older service
        said = f"erased, also in {format_job_count(reply.erased_jobs)}"
    elif reply.erased_jobs:
        said = f"erased in {format_job_count(reply.erased_jobs)}"
    elif reply.unfinished_jobs:
        said = "nothing was erased"
    else:
        return f"nothing is stored about {empid}; nothing was changed"
    if not reply.unfinished_jobs:
        return said
    return f"{said}; {format_unfinished(reply.unfinished_jobs)}, then forget {replace_unprintable(empid)} again"


def format_unfinished(unfinished: int) -> str:
    if unfinished == 1:
        return "1 unfinished job keeps the details: cancel it or wait for its end"
    return f"{unfinished:,} unfinished jobs keep the details: cancel them or wait for their end"


COMMANDS = CommandGroup(
    name="recipient",
    help="What callers told about an employee.",
    commands=(
        Command(
            name="show",
            help="Show what callers told about an employee.",
            run=with_client(show_recipient),
            arguments=with_client_arguments(add_empid_argument),
        ),
        Command(
            name="forget",
            help="Erase an employee, also in finished jobs.",
            run=with_client(forget),
            arguments=with_client_arguments(add_forget_arguments, timeout=BULK_TIMEOUT_SECONDS),
        ),
    ),
)
