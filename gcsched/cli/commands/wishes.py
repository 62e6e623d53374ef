"""What `gcsched schedule` may say beside whom, what and when."""

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from gcsched.cli import arguments
from gcsched.cli.commands import template
from gcsched.cli.values import MOMENTS

if TYPE_CHECKING:
    from gcsched.client import Wishes


def add_arguments(parser: ArgumentParser) -> None:
    add = parser.add_argument_group("more about the mail").add_argument
    text = arguments.text
    add(
        "--request-id",
        default="",
        type=text,
        metavar="ID",
        help="the same id is the same job, whatever the content says; best a UUID",
    )
    add("--template", default="", type=text, metavar="NAME", help="as `template list` has it")
    template.add_variables(parser)
    add(
        "--not-after",
        type=arguments.second,
        metavar="TIME",
        help=f"do not send it after then: {MOMENTS}",
    )
    add("--reply-to", default="", type=text, metavar="ADDRESS", help="where replies go")
    add(
        "--label",
        action="append",
        default=[],
        type=arguments.pair,
        metavar="KEY=VALUE",
        help="a mark of yours, kept with the job; may be repeated",
    )
    add("--urgent", action="store_true", help="take the next free session")


def chosen_wishes(chosen: Namespace) -> "Wishes":
    return {
        "request_id": chosen.request_id,
        "template": chosen.template,
        "variables": dict(chosen.var),
        "not_after": chosen.not_after,
        "reply_to": chosen.reply_to,
        "labels": dict(chosen.label),
        "urgent": chosen.urgent,
    }
