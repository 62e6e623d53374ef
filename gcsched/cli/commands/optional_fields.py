"""The optional fields of `gcsched schedule`."""

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from gcsched.cli import arguments, event_arguments
from gcsched.cli.commands import template
from gcsched.cli.times import TIME_FORMS_WITHOUT_DAILY

if TYPE_CHECKING:
    from gcsched.client import OptionalFields


def add_arguments(parser: ArgumentParser) -> None:
    add = parser.add_argument_group("more about the mail").add_argument
    text = arguments.parse_text
    add(
        "--request-id",
        default="",
        type=text,
        metavar="ID",
        help="the dedup key, best a UUID: the same id is the same job, and is refused with other "
        "content",
    )
    add("--template", default="", type=text, metavar="NAME", help="a name from `template list`")
    template.add_variables(parser)
    add(
        "--not-after",
        type=arguments.parse_second,
        metavar="TIME",
        help=f"do not send it after this time: {TIME_FORMS_WITHOUT_DAILY}",
    )
    add("--reply-to", default="", type=text, metavar="ADDRESS", help="where replies go")
    add(
        "--sender",
        default="",
        type=text,
        metavar="ADDRESS",
        help="the address it comes from, one of GCSCHED_SENDERS of the service",
    )
    add(
        "--label",
        action="append",
        default=[],
        type=arguments.parse_pair,
        metavar="KEY=VALUE",
        help="a label of your own, kept with the job; may be repeated",
    )
    add("--urgent", action="store_true", help="take the next free session")
    event_arguments.add_arguments(parser)


def read_optional_fields(chosen: Namespace) -> "OptionalFields":
    return {
        "request_id": chosen.request_id,
        "template": chosen.template,
        "variables": dict(chosen.var),
        "not_after": chosen.not_after,
        "reply_to": chosen.reply_to,
        "sender": chosen.sender,
        "labels": dict(chosen.label),
        "urgent": chosen.urgent,
        "event": event_arguments.read_event(chosen),
    }
