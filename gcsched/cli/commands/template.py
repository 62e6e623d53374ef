"""`gcsched template`: list, preview, check and try templates."""

from argparse import ArgumentParser, Namespace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from gcsched.cli import arguments, fields, output, output_file
from gcsched.cli.blocks import Block
from gcsched.cli.call import is_no_answer, with_client, with_client_arguments
from gcsched.cli.command import Command, CommandGroup
from gcsched.cli.commands import schedule_view, template_folder
from gcsched.cli.delivery_blockers import DeliveryBlockers, find_blockers
from gcsched.cli.exit_codes import DONE
from gcsched.domain.caller_text import replace_unprintable

if TYPE_CHECKING:
    from pathlib import Path

    from gcsched.client import Client
    from gcsched.pb import task_pb2

LIST_COLUMNS = ("name", "has_text", "required_variables")
OPTION_NAMES = {
    "template": "NAME",
    "variables": "--var",
    "email": "--to",
    "empid": "--empid",
    "name": "--username",
    "message": "--message",
    "sender": "--sender",
    "request_id": "--request-id",
}
"""Field of PreviewTemplateRequest or SendTestMailRequest → its argument."""


def list_templates(service: "Client", chosen: Namespace) -> int:
    from gcsched.pb import task_pb2

    templates = service.call("ListTemplates", task_pb2.ListTemplatesRequest()).templates
    if chosen.json:
        output.print_lines(*map(output.as_json, templates))
    else:
        output.print_blocks([fields.tabulate_messages(templates, LIST_COLUMNS)])
    return DONE


def add_preview_arguments(parser: ArgumentParser) -> None:
    add_mail_arguments(parser, is_to_required=False)
    add = parser.add_argument
    add(
        "--folder",
        type=arguments.parse_path,
        metavar="FOLDER",
        help="use the templates in this folder, without a service",
    )
    forms = parser.add_mutually_exclusive_group()
    forms.add_argument(
        "--html",
        type=arguments.parse_path,
        metavar="FILE",
        help="write the HTML to a new file; - prints it",
    )
    forms.add_argument("--text", action="store_true", help="print only the text part")
    add("--force", action="store_true", help="let --html overwrite a file")


def add_mail_arguments(parser: ArgumentParser, *, is_to_required: bool) -> None:
    add, text = parser.add_argument, arguments.parse_text
    add("name", type=text, metavar="NAME", help="a name from `template list`")
    add_variables(parser)
    add(
        "--to",
        default="",
        required=is_to_required,
        type=text,
        metavar="ADDRESS",
        help="the recipient's address",
    )
    add("--empid", default="", type=text, metavar="ID", help="the recipient's employee id")
    add("--username", default="", type=text, metavar="NAME", help="the recipient's name")
    add("--message", default="", type=text, metavar="TEXT", help="the subject")


def add_variables(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--var",
        action="append",
        default=[],
        type=arguments.parse_pair,
        metavar="NAME=VALUE",
        help="a variable of the template; may be repeated",
    )


def preview(chosen: Namespace) -> int:
    """Show a mail as rendered by the service, or from the templates of ``--folder``."""
    if chosen.folder is None:
        return with_client(preview_by_service, OPTION_NAMES)(chosen)
    return print_preview(
        chosen, template_folder.preview(chosen.folder, build_request(chosen), OPTION_NAMES)
    )


def preview_by_service(service: "Client", chosen: Namespace) -> int:
    return print_preview(chosen, service.call("PreviewTemplate", build_request(chosen)))


def build_request(chosen: Namespace) -> "task_pb2.PreviewTemplateRequest":
    from gcsched.pb import task_pb2

    return task_pb2.PreviewTemplateRequest(
        template=chosen.name,
        variables=dict(chosen.var),
        empid=chosen.empid,
        email=chosen.to,
        name=chosen.username,
        message=chosen.message,
    )


def print_preview(chosen: Namespace, found: "task_pb2.Preview") -> int:
    if chosen.html is not None:
        return write_html(chosen, found.html)
    if chosen.text and not chosen.json:
        output.print_lines(*map(replace_unprintable, found.text.splitlines()))
    else:
        output.print_message(chosen, found, lambda: format_preview(found))
    return DONE


def write_html(chosen: Namespace, html: str) -> int:
    """Write the HTML to the file of ``--html``; report that unless it is standard output."""
    file: Path = chosen.html
    content = html.encode()
    output_file.write_file(file, content, option="--html", force=chosen.force)
    if file != output_file.STANDARD_OUTPUT:
        output.print_note(replace_unprintable(f"wrote {file} ({len(content):,} bytes)"))
    return DONE


def format_preview(preview: "task_pb2.Preview") -> list[Block]:
    """Format a preview without its HTML, which is for browsers."""
    blocks: list[Block] = [fields.tabulate_fields(preview, without=["text", "html", "suppression"])]
    if preview.HasField("suppression"):
        blocks += ["this address is suppressed:", fields.tabulate_fields(preview.suppression)]
    return [*blocks, preview.text]


def add_test_arguments(parser: ArgumentParser) -> None:
    add_mail_arguments(parser, is_to_required=True)
    parser.add_argument(
        "--sender",
        default="",
        type=arguments.parse_text,
        metavar="ADDRESS",
        help="the address it comes from, one of GCSCHED_SENDERS of the service",
    )
    parser.add_argument(
        "--request-id",
        default="",
        type=arguments.parse_text,
        metavar="ID",
        help="the same id is the same mail; unset: a new one",
    )


def send_test(service: "Client", chosen: Namespace) -> int:
    """Have the service send a mail of the template now."""
    from uuid import uuid4

    from gcsched.client import CallFailed
    from gcsched.client.calls.records import send_test_mail

    request_id = chosen.request_id or str(uuid4())
    call = send_test_mail(
        chosen.to,
        chosen.name,
        variables=dict(chosen.var),
        empid=chosen.empid,
        name=chosen.username,
        message=chosen.message,
        sender=chosen.sender,
        request_id=request_id,
    )
    try:
        job = call.read(service.call(call.method, call.request))
    except CallFailed as error:
        if is_no_answer(error):  # the service may have accepted the job
            again = f"--request-id {request_id}"
            error.add_note(f"To repeat the command without a second mail, use {again}.")
        raise
    due = None if job.due_time is None else schedule_view.format_utc(job.due_time)
    is_waiting = job.state in schedule_view.WAITING
    found = find_blockers(chosen, due=job.due_time) if is_waiting else DeliveryBlockers()
    schedule_view.print_result(chosen, job, due, found, now=datetime.now(UTC))
    return DONE


COMMANDS = CommandGroup(
    name="template",
    help="List, preview, check and try templates.",
    commands=(
        Command(
            name="list",
            help="List the templates with their required variables.",
            run=with_client(list_templates),
            arguments=with_client_arguments(),
        ),
        Command(
            name="preview",
            help="Show a mail as a template renders it; nothing is stored.",
            run=preview,
            arguments=with_client_arguments(add_preview_arguments),
        ),
        template_folder.CHECK,
        Command(
            name="send-test",
            help="Send a mail of a template now, to an address that may get test mails.",
            run=with_client(send_test, OPTION_NAMES),
            arguments=with_client_arguments(add_test_arguments),
        ),
    ),
)
