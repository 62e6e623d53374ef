"""`gcsched template check` and `preview --folder`: what an author needs, without a service."""

import json
import os
from argparse import ArgumentParser, Namespace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from gcsched.cli import arguments, fields, output
from gcsched.cli.call import Options
from gcsched.cli.command import Command
from gcsched.cli.exit_codes import DONE, WRONG
from gcsched.cli.extras import SERVER, needing
from gcsched.cli.failure import WrongUsage
from gcsched.domain.caller_text import printable

if TYPE_CHECKING:
    from gcsched.adapters.mail.template_check import Finding
    from gcsched.adapters.mail.template_examination import Examination
    from gcsched.adapters.mail.templates import Templates
    from gcsched.pb import task_pb2

IN_LISTS = ("name", "has_text", "required_variables")


def add_check(parser: ArgumentParser) -> None:
    parser.add_argument(
        "folder", type=arguments.path, metavar="FOLDER", help="where the templates are"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def check(chosen: Namespace) -> int:
    """Print what a service would find at its start in the folder; 2 if it would not start."""
    with needing(SERVER, command="gcsched template check"):
        from gcsched.adapters.mail.template_examination import examine
        from gcsched.adapters.mail.templates import Templates

    found = examine(chosen.folder)
    templates = None if found.problems else Templates.of(found)
    if chosen.json:
        output.say(as_json(found, templates))
    else:
        show(found, templates)
    return DONE if templates else WRONG


def show(found: "Examination", templates: "Templates | None") -> None:
    from gcsched.errors import TemplateProblem

    for problem in found.problems:
        output.note(printable(f"{TemplateProblem(*problem)}"))
    for file, _, warning in found.warnings:
        output.note(printable(f"warning: {file}: {warning}"))
    if templates:
        output.show([fields.table(messages(templates), IN_LISTS)])
    else:
        count = len(found.problems)
        output.note(f"{count} problem{'s' * (count != 1)}: a service does not start with this")


def messages(templates: "Templates") -> "list[task_pb2.Template]":
    from gcsched.pb import task_pb2

    return [
        task_pb2.Template(name=each.name, required_variables=each.needs, has_text=each.has_text)
        for each in templates.facts()
    ]


def as_json(found: "Examination", templates: "Templates | None") -> str:
    def findings(those: "list[Finding]") -> list[dict[str, object]]:
        return [each._asdict() for each in those]

    listed = messages(templates) if templates else []
    return json.dumps(
        {
            "templates": [json.loads(output.as_json(each)) for each in listed],
            "problems": findings(found.problems),
            "warnings": findings(found.warnings),
        }
    )


def preview(
    folder: Path, request: "task_pb2.PreviewTemplateRequest", options: Options
) -> "task_pb2.Preview":
    """Render *request* as a service with *folder* would; raise WrongUsage where it cannot."""
    from gcsched.errors import InvalidRequest, TemplateProblem

    with needing(SERVER, command="gcsched template preview --folder"):
        from gcsched.adapters.mail.templates import Templates
        from gcsched.rpc import messages
        from gcsched.rpc.methods.templates import specimen_from
        from gcsched.wiring.template_preview import preview_of

    zone = time_zone()
    try:
        make = preview_of(Templates.load(folder), zone=zone, now=lambda: datetime.now(UTC))
        return messages.preview(make(specimen_from(request)))
    except TemplateProblem as problem:
        first, *others = str(problem).splitlines()
        raise WrongUsage(first, advice=others) from problem
    except InvalidRequest as error:
        violations = [
            f"  {options.get(each.field, each.field)}: {each.problem}" for each in error.violations
        ]
        raise WrongUsage("refused:", advice=violations) from error


def time_zone() -> ZoneInfo:
    """Return the zone in which a service with this environment shows ``due``."""
    from gcsched.errors import SettingsProblems

    name = os.environ.get("GCSCHED_TIMEZONE") or "UTC"
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        sentence = f"GCSCHED_TIMEZONE={name!r} is unknown: give an IANA name, e.g. Europe/Berlin"
        raise SettingsProblems([sentence]) from error


CHECK = Command(
    name="check",
    help="Find what is wrong in a template folder, without a service.",
    run=check,
    arguments=add_check,
)
