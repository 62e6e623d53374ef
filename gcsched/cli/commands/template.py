"""`gcsched template`: what mails can look like."""

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from gcsched.cli import arguments, fields, output, output_file
from gcsched.cli.blocks import Block
from gcsched.cli.call import addressed, calling
from gcsched.cli.command import Command, Group
from gcsched.cli.commands import template_folder
from gcsched.cli.exit_codes import DONE
from gcsched.domain.caller_text import printable

if TYPE_CHECKING:
    from pathlib import Path

    from gcsched.client import Client
    from gcsched.pb import task_pb2

IN_LISTS = ("name", "has_text", "required_variables")
OPTIONS = {
    "template": "NAME",
    "variables": "--var",
    "email": "--to",
    "empid": "--empid",
    "name": "--username",
    "message": "--message",
}
"""What a field of PreviewTemplateRequest is called here."""


def list_all(service: "Client", chosen: Namespace) -> int:
    from gcsched.pb import task_pb2

    templates = service.call("ListTemplates", task_pb2.ListTemplatesRequest()).templates
    if chosen.json:
        output.say(*map(output.as_json, templates))
    else:
        output.show([fields.table(templates, IN_LISTS)])
    return DONE


def previewed(parser: ArgumentParser) -> None:
    add = parser.add_argument
    add("name", type=arguments.text, metavar="NAME", help="as `template list` has it")
    add_variables(parser)
    add("--to", default="", type=arguments.text, metavar="ADDRESS", help="whose mail it would be")
    add("--empid", default="", type=arguments.text, metavar="ID", help="whose mail it would be")
    add("--username", default="", type=arguments.text, metavar="NAME", help="what they are called")
    add("--message", default="", type=arguments.text, metavar="TEXT", help="the subject")
    add(
        "--folder",
        type=arguments.path,
        metavar="FOLDER",
        help="use these templates, without a service",
    )
    forms = parser.add_mutually_exclusive_group()
    forms.add_argument(
        "--html",
        type=arguments.path,
        metavar="FILE",
        help="write the HTML to a new file; - prints it",
    )
    forms.add_argument("--text", action="store_true", help="print the text part, nothing else")
    add("--force", action="store_true", help="let --html overwrite a file")


def add_variables(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--var",
        action="append",
        default=[],
        type=arguments.pair,
        metavar="NAME=VALUE",
        help="data for the template; may be repeated",
    )


def preview(chosen: Namespace) -> int:
    """Show a mail as the templates of ``--folder`` make it, or those of a service."""
    if chosen.folder is None:
        return calling(preview_of_service, OPTIONS)(chosen)
    return shown(chosen, template_folder.preview(chosen.folder, request_of(chosen), OPTIONS))


def preview_of_service(service: "Client", chosen: Namespace) -> int:
    return shown(chosen, service.call("PreviewTemplate", request_of(chosen)))


def request_of(chosen: Namespace) -> "task_pb2.PreviewTemplateRequest":
    from gcsched.pb import task_pb2

    return task_pb2.PreviewTemplateRequest(
        template=chosen.name,
        variables=dict(chosen.var),
        empid=chosen.empid,
        email=chosen.to,
        name=chosen.username,
        message=chosen.message,
    )


def shown(chosen: Namespace, found: "task_pb2.Preview") -> int:
    if chosen.html is not None:
        return written(chosen, found.html)
    if chosen.text and not chosen.json:
        output.say(*map(printable, found.text.splitlines()))
    else:
        output.tell(chosen, found, lambda: previewing(found))
    return DONE


def written(chosen: Namespace, html: str) -> int:
    """Write the HTML to the file of ``--html``, and say so unless that is the output itself."""
    file: Path = chosen.html
    output_file.write(file, html, option="--html", force=chosen.force)
    if file != output_file.STANDARD_OUTPUT:
        output.note(printable(f"wrote {file} ({len(html.encode()):,} bytes)"))
    return DONE


def previewing(preview: "task_pb2.Preview") -> list[Block]:
    """Show a mail as it would be; its HTML is for browsers."""
    blocks: list[Block] = [fields.facts(preview, without=["text", "html", "suppression"])]
    if preview.HasField("suppression"):
        blocks += ["this address gets no mail:", fields.facts(preview.suppression)]
    return [*blocks, preview.text]


COMMANDS = Group(
    name="template",
    help="What mails can look like.",
    commands=(
        Command(
            name="list",
            help="List the templates, and what each needs.",
            run=calling(list_all),
            arguments=addressed(),
        ),
        Command(
            name="preview",
            help="Show a mail as a template would make it; nothing is stored.",
            run=preview,
            arguments=addressed(previewed),
        ),
        template_folder.CHECK,
    ),
)
