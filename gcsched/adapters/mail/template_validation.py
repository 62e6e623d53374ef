"""Validate a template folder: parse all files and render them for sample recipients."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import jinja2

from gcsched.adapters.mail.template_analysis import (
    TEMPLATE_ERRORS,
    Finding,
    ParseResult,
    collect_reachable,
    find_included,
    find_required_variables,
    find_unknown_variables,
    has_name,
    is_blank,
    is_partial,
    make_finding,
    parse_templates,
)
from gcsched.adapters.mail.template_files import (
    TemplateFiles,
    find_unincluded_files,
    list_template_files,
)
from gcsched.adapters.mail.template_folder import make_environment
from gcsched.adapters.mail.template_variables import (
    MEETING_SAMPLES,
    MEETING_VARIABLES,
    SAMPLE_VALUE,
    SAMPLES,
    STANDARD_VARIABLES,
)
from gcsched.domain.meetings.mails import TEMPLATES
from gcsched.domain.request import DEFAULT_TEMPLATE, MEETING

MAX_IGNORED_SHOWN = 20
GMAIL_CLIP_OCTETS = 102 * 1024
"""Octets of HTML; Gmail hides the rest of a longer mail behind "View entire message"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartTemplates:
    """All files of one kind, HTML or text, with their environment."""

    names: list[str]
    environment: jinja2.Environment
    parsed: ParseResult

    @classmethod
    def read(cls, folder: Path, names: list[str], *, autoescape: bool) -> Self:
        environment = make_environment(folder, autoescape=autoescape)
        parsed = parse_templates(environment, names)
        return cls(names=names, environment=environment, parsed=parsed)

    def sendable_names(self) -> list[str]:
        return [name for name in self.names if not is_partial(name)]


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderValidation:
    """The result for one folder: problems prevent its use, warnings do not."""

    folder: Path
    html: PartTemplates
    text: PartTemplates
    problems: list[Finding]
    warnings: list[Finding]


def validate_folder(folder: Path) -> FolderValidation:
    files = list_template_files(folder)
    html = PartTemplates.read(folder, files.html, autoescape=True)
    text = PartTemplates.read(folder, files.text, autoescape=False)
    problems = list(files.problems)
    warnings = truncate_findings(list(find_ignored_files(folder, files, [html, text])), folder)
    for part in (html, text):
        problems += [*part.parsed.findings, *check_default_templates(part.parsed)]
    problems += find_empty_pages(html)
    warnings += find_empty_texts(text, html)
    rendered = [found for part in (html, text) for found in find_render_failures(part, folder)]
    if not problems and not rendered:  # these warnings need pages that render
        warnings += [
            found for name in html.sendable_names() for found in find_html_warnings(html, name)
        ]
    return FolderValidation(
        folder=folder,
        html=html,
        text=text,
        problems=merge_findings(problems, rendered),
        warnings=warnings,
    )


def find_ignored_files(
    folder: Path, files: TemplateFiles, parts: Sequence[PartTemplates]
) -> Iterator[Finding]:
    """Report the files that are not templates and that no template includes."""
    used = find_included({name: tree for part in parts for name, tree in part.parsed.trees.items()})
    if used is None:  # a name is computed while rendering: it may be that of any file
        return
    yield from (found for found in files.ignored if found.file not in used)
    if not any(part.parsed.findings for part in parts):  # else some includes are unknown
        yield from find_unincluded_files(folder, used)


def truncate_findings(findings: list[Finding], folder: Path) -> list[Finding]:
    """Return the first of *findings* and the number of the others: a wrong folder may have many."""
    if (more := len(findings) - MAX_IGNORED_SHOWN) <= 0:
        return findings
    return [
        *findings[:MAX_IGNORED_SHOWN],
        Finding(f"{folder}", None, f"{more} more files are ignored"),
    ]


def check_default_templates(parsed: ParseResult) -> Iterator[Finding]:
    """Report the variables of these templates: callers that name no template give no value."""
    of_meetings = dict.fromkeys(TEMPLATES.values(), MEETING_VARIABLES)
    known = {DEFAULT_TEMPLATE: STANDARD_VARIABLES, **of_meetings}
    for name, variables in known.items():
        for suffix in (".html", ".txt"):
            yield from find_unknown_variables(f"{name}{suffix}", parsed.trees, variables)


def find_blank(part: PartTemplates) -> Iterator[str]:
    trees = part.parsed.trees
    return (name for name in part.sendable_names() if name in trees and is_blank(trees[name]))


def find_empty_pages(html: PartTemplates) -> list[Finding]:
    problem = "the file is empty: mails from it would have no content"
    return [Finding(name, None, problem) for name in find_blank(html)]


def find_empty_texts(text: PartTemplates, html: PartTemplates) -> list[Finding]:
    problem = "the text part is empty; without this file it is made from the HTML"
    pages = {Path(name).stem for name in html.names}
    return [Finding(name, None, problem) for name in find_blank(text) if Path(name).stem in pages]


def find_render_failures(part: PartTemplates, folder: Path) -> Iterator[Finding]:
    """Render each template for two sample recipients and report the first failure of each.

    They have no value for an optional variable, so a template that cannot do without one fails.
    """
    for name in part.sendable_names():
        try:
            for variables in make_samples(part, name):
                part.environment.get_template(name).render(variables)
        except TEMPLATE_ERRORS as error:
            yield make_finding(error, name, folder)


def make_samples(part: PartTemplates, name: str) -> Iterator[Mapping[str, object]]:
    """Yield the variables of each sample mail, first those with all values.

    One that shows a meeting where there is one is rendered with a meeting and without.
    """
    trees = part.parsed.trees
    required = find_required_variables(name, trees, STANDARD_VARIABLES)
    own = dict.fromkeys(required - {MEETING}, SAMPLE_VALUE)
    if MEETING not in required:
        yield from ({**own, **sample} for sample in SAMPLES)
    if has_name(collect_reachable(name, trees), MEETING):
        yield from ({**own, **sample} for sample in MEETING_SAMPLES)


def find_html_warnings(html: PartTemplates, name: str) -> Iterator[Finding]:
    """Report blank and very long HTML of a template that renders."""
    page = html.environment.get_template(name).render(next(make_samples(html, name)))
    if not page.strip():
        yield Finding(name, None, "is blank for a sample recipient who has a name and an id")
    if (size := len(page.encode(errors="replace"))) > GMAIL_CLIP_OCTETS:
        limit = f"Gmail shows the first {GMAIL_CLIP_OCTETS // 1024} KiB only"
        yield Finding(name, None, f"its HTML has {size / 1024:,.0f} KiB: {limit}")


def merge_findings(parsed: list[Finding], rendered: list[Finding]) -> list[Finding]:
    """Merge both; a failure while rendering is left out where parsing found its line already."""
    places = {(found.file, found.line) for found in parsed}
    more = [found for found in rendered if (found.file, found.line) not in places]
    return list(dict.fromkeys([*parsed, *more]))
