"""`gcsched template check` and `preview --folder`: tools for authors, without a service."""

import json
import os
from argparse import ArgumentParser, Namespace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from gcsched.cli import arguments, fields, output
from gcsched.cli.call import OptionNames
from gcsched.cli.command import Command
from gcsched.cli.exit_codes import DONE, WRONG_USAGE
from gcsched.cli.extras import SERVER, require_extra
from gcsched.cli.failure import WrongUsage
from gcsched.domain.caller_text import replace_unprintable

if TYPE_CHECKING:
    from gcsched.adapters.mail.template_analysis import Finding
    from gcsched.adapters.mail.template_validation import FolderValidation
    from gcsched.adapters.mail.templates import Templates
    from gcsched.pb import task_pb2

LIST_COLUMNS = ("name", "has_text", "required_variables")


def add_check_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "folder", type=arguments.parse_path, metavar="FOLDER", help="where the templates are"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def check(chosen: Namespace) -> int:
    """Print the problems and warnings of the folder; return 2 if no service would start with it."""
    with require_extra(SERVER, command="gcsched template check"):
        from gcsched.adapters.mail.template_validation import validate_folder
        from gcsched.adapters.mail.templates import Templates, load_inscriptis

        load_inscriptis()  # some template of the folder may need it

    found = validate_folder(chosen.folder)
    templates = None if found.problems else Templates.from_validation(found)
    if chosen.json:
        output.print_lines(as_json(found, templates))
    else:
        print_findings(found, templates)
    return DONE if templates else WRONG_USAGE


def print_findings(found: "FolderValidation", templates: "Templates | None") -> None:
    from gcsched.errors import TemplateProblem

    for problem in found.problems:
        output.print_note(replace_unprintable(f"{TemplateProblem(*problem)}"))
    for file, _, warning in found.warnings:
        output.print_note(replace_unprintable(f"warning: {file}: {warning}"))
    if templates:
        output.print_blocks([fields.tabulate_messages(build_messages(templates), LIST_COLUMNS)])
    else:
        count = len(found.problems)
        output.print_note(
            f"{count} problem{'s' * (count != 1)}: a service does not start with this folder"
        )


def build_messages(templates: "Templates") -> "list[task_pb2.Template]":
    from gcsched.pb import task_pb2

    return [
        task_pb2.Template(
            name=each.name, required_variables=each.required_variables, has_text=each.has_text
        )
        for each in templates.list_info()
    ]


def as_json(found: "FolderValidation", templates: "Templates | None") -> str:
    def as_dicts(findings: "list[Finding]") -> list[dict[str, object]]:
        return [each._asdict() for each in findings]

    messages = build_messages(templates) if templates else []
    return json.dumps(
        {
            "templates": [json.loads(output.as_json(each)) for each in messages],
            "problems": as_dicts(found.problems),
            "warnings": as_dicts(found.warnings),
        }
    )


def preview(
    folder: Path, request: "task_pb2.PreviewTemplateRequest", options: OptionNames
) -> "task_pb2.Preview":
    """Render *request* as a service with *folder* would; raise WrongUsage if it would refuse."""
    from gcsched.errors import InvalidRequest, TemplateProblem

    with require_extra(SERVER, command="gcsched template preview --folder"):
        from gcsched.adapters.mail.templates import Templates, load_inscriptis
        from gcsched.domain.access import ANYONE
        from gcsched.rpc import messages
        from gcsched.rpc.methods.templates import sample_from
        from gcsched.wiring.template_preview import build_template_preview

        load_inscriptis()  # some template of the folder may need it

    zone = read_time_zone()
    try:
        # The wiring of the service itself, so that both render and refuse alike.
        template_preview = build_template_preview(
            Templates.load(folder), zone=zone, now=lambda: datetime.now(UTC)
        )
        found = messages.preview_message(template_preview.preview(sample_from(request), ANYONE))
    except TemplateProblem as problem:
        first, *others = str(problem).splitlines()
        raise WrongUsage(first, advice=others) from problem
    except InvalidRequest as error:
        violations = [
            f"  {options.get(each.field, each.field)}: {each.problem}" for each in error.violations
        ]
        raise WrongUsage("refused:", advice=violations) from error
    found.ClearField("sender")  # only a service has one
    return found


def read_time_zone() -> ZoneInfo:
    """Return the zone in which a service with this environment formats due times."""
    from gcsched.errors import SettingsProblems

    name = os.environ.get("GCSCHED_TIMEZONE") or "UTC"
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        sentence = f"GCSCHED_TIMEZONE={name!r} is unknown: use an IANA name, e.g. Europe/Berlin"
        raise SettingsProblems([sentence]) from error


CHECK = Command(
    name="check",
    help="Check a template folder, without a service.",
    run=check,
    arguments=add_check_arguments,
)
