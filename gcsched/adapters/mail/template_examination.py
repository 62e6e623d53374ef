"""Examine a template folder: read all of it, render it for made-up people, report every finding."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import jinja2

from gcsched.adapters.mail.template_check import (
    FAULTS,
    Finding,
    Reading,
    finding,
    included,
    is_blank,
    is_part,
    needs,
    read_through,
    unknown_variables,
)
from gcsched.adapters.mail.template_files import TemplateFiles, not_included, survey
from gcsched.adapters.mail.template_folder import environment
from gcsched.adapters.mail.template_variables import BARE, EXAMPLE, FULL, KNOWN
from gcsched.domain.request import DEFAULT_TEMPLATE

MOST_IGNORED = 20
LONGEST_IN_GMAIL = 102 * 1024
"""Octets of HTML; Gmail hides the rest of a longer mail behind "View entire message"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """All files of one kind: HTML, or text."""

    names: list[str]
    environment: jinja2.Environment
    reading: Reading

    @classmethod
    def read(cls, folder: Path, names: list[str], *, autoescape: bool) -> Self:
        made = environment(folder, autoescape=autoescape)
        return cls(names=names, environment=made, reading=read_through(made, names))

    def to_send(self) -> list[str]:
        return [name for name in self.names if not is_part(name)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """Problems keep a folder from being used; warnings do not."""

    folder: Path
    html: Part
    text: Part
    problems: list[Finding]
    warnings: list[Finding]


def examine(folder: Path) -> Examination:
    files = survey(folder)
    html = Part.read(folder, files.html, autoescape=True)
    text = Part.read(folder, files.text, autoescape=False)
    problems = list(files.problems)
    warnings = shortened(list(ignored(folder, files, [html, text])), folder)
    for part in (html, text):
        problems += [*part.reading.findings, *unknown(part.reading)]
    problems += empty_pages(html)
    warnings += empty_texts(text, html)
    rendered = [found for part in (html, text) for found in failures(part, folder)]
    if not problems and not rendered:
        warnings += [found for name in html.to_send() for found in looks(html, name)]
    return Examination(
        folder=folder,
        html=html,
        text=text,
        problems=without_repetition(problems, rendered),
        warnings=warnings,
    )


def ignored(folder: Path, files: TemplateFiles, parts: Sequence[Part]) -> Iterator[Finding]:
    """Report files that are not used, as far as no template includes them."""
    used = included({name: tree for part in parts for name, tree in part.reading.trees.items()})
    if used is None:  # a name is computed when rendering: it may be that of any file
        return
    yield from (found for found in files.ignored if found.file not in used)
    if not any(part.reading.findings for part in parts):  # else some includes are not known
        yield from not_included(folder, used)


def shortened(findings: list[Finding], folder: Path) -> list[Finding]:
    """Return the first of *findings* and how many there are more: any folder may be named."""
    if (more := len(findings) - MOST_IGNORED) <= 0:
        return findings
    return [*findings[:MOST_IGNORED], Finding(f"{folder}", None, f"{more} more files are ignored")]


def unknown(read: Reading) -> Iterator[Finding]:
    """Report what the default template needs: callers that name none may send no variables."""
    for suffix in (".html", ".txt"):
        yield from unknown_variables(f"{DEFAULT_TEMPLATE}{suffix}", read.trees, KNOWN)


def blank(part: Part) -> Iterator[str]:
    trees = part.reading.trees
    return (name for name in part.to_send() if name in trees and is_blank(trees[name]))


def empty_pages(html: Part) -> list[Finding]:
    problem = "the file is empty: mails from it would have no content"
    return [Finding(name, None, problem) for name in blank(html)]


def empty_texts(text: Part, html: Part) -> list[Finding]:
    problem = "the text part is empty; without this file it is made from the HTML"
    pages = {Path(name).stem for name in html.names}
    return [Finding(name, None, problem) for name in blank(text) if Path(name).stem in pages]


def failures(part: Part, folder: Path) -> Iterator[Finding]:
    """Render each template for two made-up people and report the first failure of each.

    They have what the template needs and nothing more: what it says to do without, it must.
    """
    for name in part.to_send():
        try:
            for variables in (FULL, BARE):
                template = part.environment.get_template(name)
                template.render({**examples(part, name), **variables})
        except FAULTS as error:
            yield finding(error, name, folder)


def examples(part: Part, name: str) -> Mapping[str, str]:
    return dict.fromkeys(needs(name, part.reading.trees, KNOWN), EXAMPLE)


def looks(html: Part, name: str) -> Iterator[Finding]:
    """Report what is odd about the HTML of a template that works."""
    page = html.environment.get_template(name).render({**examples(html, name), **FULL})
    if not page.strip():
        yield Finding(name, None, "shows nothing to a made-up person who has a name and an id")
    if (size := len(page.encode(errors="replace"))) > LONGEST_IN_GMAIL:
        limit = f"Gmail shows the first {LONGEST_IN_GMAIL // 1024} KiB only"
        yield Finding(name, None, f"its HTML has {size / 1024:,.0f} KiB: {limit}")


def without_repetition(read: list[Finding], rendered: list[Finding]) -> list[Finding]:
    """Leave out what only repeats a problem: the same line failing when rendered."""
    places = {(found.file, found.line) for found in read}
    more = [found for found in rendered if (found.file, found.line) not in places]
    return list(dict.fromkeys([*read, *more]))
