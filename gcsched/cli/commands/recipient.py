"""`gcsched recipient`: what callers told about an employee, and how to erase it."""

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from gcsched.cli import arguments, confirm, fields, output
from gcsched.cli.call import MANY_SECONDS, addressed, calling
from gcsched.cli.command import Command, Group
from gcsched.cli.commands.jobs import jobs
from gcsched.cli.exit_codes import DONE
from gcsched.domain.caller_text import printable

if TYPE_CHECKING:
    from gcsched.client import Client
    from gcsched.pb import task_pb2


def identified(parser: ArgumentParser) -> None:
    parser.add_argument("empid", type=arguments.text, metavar="EMPID", help="the employee id")


def forgotten(parser: ArgumentParser) -> None:
    identified(parser)
    confirm.add_argument(parser)


def show(service: "Client", chosen: Namespace) -> int:
    from gcsched.pb import task_pb2

    found = service.call("GetRecipient", task_pb2.GetRecipientRequest(empid=chosen.empid))
    output.tell(chosen, found, lambda: [fields.facts(found)])
    return DONE


def forget(service: "Client", chosen: Namespace) -> int:
    from gcsched.pb import task_pb2

    confirm.permission(chosen, f"Erase {chosen.empid}, also in finished jobs?")
    request = task_pb2.ForgetRecipientRequest(empid=chosen.empid)
    reply = service.call("ForgetRecipient", request)
    output.tell(chosen, reply, lambda: [erased(reply, chosen.empid)])
    return DONE


def erased(reply: "task_pb2.ForgetRecipientResponse", empid: str) -> str:
    if reply.details_erased or not reply.HasField("details_erased"):  # absent: of an older service
        said = f"erased, also in {jobs(reply.erased_jobs)}"
    elif reply.erased_jobs:
        said = f"erased in {jobs(reply.erased_jobs)}"
    elif reply.unfinished_jobs:
        said = "nothing was erased"
    else:
        return f"nothing is stored about {empid}; nothing was changed"
    if not reply.unfinished_jobs:
        return said
    return f"{said}; {kept(reply.unfinished_jobs)}, then forget {printable(empid)} again"


def kept(unfinished: int) -> str:
    if unfinished == 1:
        return "1 unfinished job keeps the details: cancel it or wait for its end"
    return f"{unfinished:,} unfinished jobs keep the details: cancel them or wait for their end"


COMMANDS = Group(
    name="recipient",
    help="What callers told about an employee.",
    commands=(
        Command(
            name="show",
            help="Show what callers told about an employee.",
            run=calling(show),
            arguments=addressed(identified),
        ),
        Command(
            name="forget",
            help="Erase an employee, also in finished jobs.",
            run=calling(forget),
            arguments=addressed(forgotten, timeout=MANY_SECONDS),
        ),
    ),
)
