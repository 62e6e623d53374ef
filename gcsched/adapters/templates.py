"""The mail templates: loaded and checked all at once at start-up, rendered once per mail."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self, TypedDict

import jinja2
from inscriptis import get_text
from inscriptis.model.config import ParserConfig
from jinja2.defaults import DEFAULT_NAMESPACE

from gcsched.adapters.template_check import (
    FAULTS,
    Finding,
    Names,
    Reading,
    finding,
    is_part,
    needs,
    read_through,
    unknown_variables,
)
from gcsched.adapters.template_folder import environment, names_in
from gcsched.domain.mail import TemplateFacts
from gcsched.domain.request import DEFAULT_TEMPLATE
from gcsched.errors import TemplateProblem


class Variables(TypedDict):
    """Everything a template may use."""

    username: str
    empid: str
    email: str
    message: str
    due: datetime
    job_id: str


KNOWN = frozenset(Variables.__annotations__)
RESERVED = KNOWN | DEFAULT_NAMESPACE.keys()
NOTHING: Mapping[str, str] = {}
FULL = Variables(
    username="Zoë O'Neil <&>",
    empid="E-17",
    email="zoe@example.org",
    message="Release review & retrospective",
    due=datetime(2025, 11, 24, 9, 30, tzinfo=UTC),
    job_id="00000000000000000000000000000000",
)
EXAMPLE = "Example"
BARE: Variables = {**FULL, "username": "", "empid": ""}


@dataclass(frozen=True, slots=True)
class Rendered:
    """The two parts of one mail."""

    html: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """The compiled parts, and the names that *needs* lists beside the standard ones."""

    html: jinja2.Template
    text: jinja2.Template | None
    needs: Names

    def render(self, variables: Variables, data: Mapping[str, str]) -> Rendered:
        values = {**data, **variables}
        html = self.html.render(values)
        return Rendered(html, self.text.render(values) if self.text else text_of(html))


@dataclass(frozen=True, slots=True, kw_only=True)
class Templates:
    """The checked templates of one folder, by name: ``doc`` is doc.html and, if there, doc.txt."""

    folder: Path
    by_name: Mapping[str, Template]

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Compile, check and try everything in *folder*; raise one TemplateProblem for all."""
        html, text = names_in(folder, ".html"), names_in(folder, ".txt")
        pages = environment(folder, autoescape=True)
        texts = environment(folder, autoescape=False)
        kinds = [(pages, html, read_through(pages, html)), (texts, text, read_through(texts, text))]
        refuse(
            [found for _, _, read in kinds for found in [*read.findings, *unknown(read)]],
            [found for made, names, read in kinds for found in tried(made, names, read, folder)],
        )
        needed = {
            name: needs(name, read.trees, KNOWN) for _, names, read in kinds for name in names
        }
        by_name = {
            Path(name).stem: Template(
                html=got(pages, name),
                text=sibling(texts, name, among=text),
                needs=needed[name] | needed.get(f"{Path(name).stem}.txt", frozenset()),
            )
            for name in html
            if not is_part(name)
        }
        return cls(folder=folder, by_name=by_name)

    def facts(self) -> list[TemplateFacts]:
        """Tell what callers may ask for."""
        return [
            TemplateFacts(
                name=name, needs=tuple(sorted(each.needs)), has_text=each.text is not None
            )
            for name, each in sorted(self.by_name.items())
        ]

    def render(
        self, name: str, variables: Variables, data: Mapping[str, str] = NOTHING
    ) -> Rendered:
        """Render template *name*; raise TemplateProblem if there is none or it fails for these.

        *data* may be anything: it is never template code, and *variables* win over it.
        """
        if name not in self.by_name:
            raise TemplateProblem(f"{name}.html", None, "there is no such template")
        try:
            return self.by_name[name].render(variables, data)
        except FAULTS as error:
            raise TemplateProblem(*finding(error, f"{name}.html", self.folder)) from error


def sibling(
    texts: jinja2.Environment, html_name: str, *, among: list[str]
) -> jinja2.Template | None:
    name = f"{Path(html_name).stem}.txt"
    return got(texts, name) if name in among else None


def got(made: jinja2.Environment, name: str) -> jinja2.Template:
    template = made.get_template(name)
    # Every rendering copies the globals, and jinja2's ChainMap is slow at that.
    template.globals = dict(template.globals)
    return template


def unknown(read: Reading) -> Iterator[Finding]:
    """Report what the default template needs: whoever names no template may give no variables."""
    for suffix in (".html", ".txt"):
        yield from unknown_variables(f"{DEFAULT_TEMPLATE}{suffix}", read.trees, KNOWN)


def tried(
    made: jinja2.Environment, names: list[str], read: Reading, folder: Path
) -> Iterator[Finding]:
    """Render each template for two made-up people and report the first failure of each.

    They have what the template needs and nothing more: what it says to do without, it must.
    """
    for name in names:
        data = dict.fromkeys(needs(name, read.trees, KNOWN), EXAMPLE)
        if not is_part(name) and (found := failure(made, name, folder, data)):
            yield found


def failure(
    made: jinja2.Environment, name: str, folder: Path, data: Mapping[str, str]
) -> Finding | None:
    try:
        for variables in (FULL, BARE):
            made.get_template(name).render({**data, **variables})
    except FAULTS as error:
        return finding(error, name, folder)
    return None


def refuse(read: list[Finding], rendered: list[Finding]) -> None:
    """Raise what was found, without what only repeats it: the same line failing when rendered."""
    places = {(found.file, found.line) for found in read}
    more = [found for found in rendered if (found.file, found.line) not in places]
    findings = list(dict.fromkeys([*read, *more]))
    if findings:
        raise TemplateProblem.several([TemplateProblem(*found) for found in findings])


def text_of(html: str) -> str:
    """Make the text part of a template that has none, with the targets of its links."""
    text: str = get_text(html, ParserConfig(display_links=True))
    return text
