"""`gcsched recipient`: show and erase what is stored about an employee."""

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

    confirm.require_confirmation(
        chosen, f"Erase the data of {chosen.empid}, also in finished jobs?"
    )
    request = task_pb2.ForgetRecipientRequest(empid=chosen.empid)
    reply = service.call("ForgetRecipient", request)
    output.print_message(chosen, reply, lambda: [format_erasure(reply, chosen.empid)])
    return DONE


def format_erasure(reply: "task_pb2.ForgetRecipientResponse", empid: str) -> str:
    # Absent: the service is older than the field.
    if reply.details_erased or not reply.HasField("details_erased"):
        sentence = f"erased, also in {format_job_count(reply.erased_jobs)}"
    elif reply.erased_jobs:
        sentence = f"erased in {format_job_count(reply.erased_jobs)}"
    elif reply.unfinished_jobs:
        sentence = "nothing was erased"
    else:
        return f"nothing is stored about {empid}; nothing was changed"
    if not reply.unfinished_jobs:
        return sentence
    advice = f"then forget {replace_unprintable(empid)} again"
    return f"{sentence}; {format_unfinished(reply.unfinished_jobs)}, {advice}"


def format_unfinished(unfinished: int) -> str:
    if unfinished == 1:
        return "1 unfinished job still has the details: cancel it or wait until it ends"
    return (
        f"{unfinished:,} unfinished jobs still have the details: cancel them or wait until they end"
    )


COMMANDS = CommandGroup(
    name="recipient",
    help="Show and erase what is stored about an employee.",
    commands=(
        Command(
            name="show",
            help="Show what is stored about an employee.",
            run=with_client(show_recipient),
            arguments=with_client_arguments(add_empid_argument),
        ),
        Command(
            name="forget",
            help="Erase an employee's data, also in finished jobs.",
            run=with_client(forget),
            arguments=with_client_arguments(add_forget_arguments, timeout=BULK_TIMEOUT_SECONDS),
        ),
    ),
)
