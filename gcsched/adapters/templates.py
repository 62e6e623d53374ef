"""The mail templates: loaded and checked all at once at start-up, rendered once per mail."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self, TypedDict

import jinja2
from inscriptis import get_text
from inscriptis.model.config import ParserConfig

from gcsched.adapters.template_check import FAULTS, Finding, finding, is_part, read_through
from gcsched.adapters.template_folder import environment, names_in
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
FULL = Variables(
    username="Zoë O'Neil <&>",
    empid="E-17",
    email="zoe@example.org",
    message="Release review & retrospective",
    due=datetime(2025, 11, 24, 9, 30, tzinfo=UTC),
    job_id="00000000000000000000000000000000",
)
BARE: Variables = {**FULL, "username": "", "empid": ""}


@dataclass(frozen=True, slots=True)
class Rendered:
    """The two parts of one mail."""

    html: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    html: jinja2.Template
    text: jinja2.Template | None

    def render(self, variables: Variables) -> Rendered:
        html = self.html.render(variables)
        return Rendered(html, self.text.render(variables) if self.text else text_of(html))


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
        refuse(
            [*read_through(pages, html, KNOWN), *read_through(texts, text, KNOWN)],
            [*tried(pages, html, folder), *tried(texts, text, folder)],
        )
        by_name = {
            Path(name).stem: Template(html=got(pages, name), text=sibling(texts, name, among=text))
            for name in html
            if not is_part(name)
        }
        return cls(folder=folder, by_name=by_name)

    def render(self, name: str, variables: Variables) -> Rendered:
        """Render template *name*; raise TemplateProblem if there is none or it fails for these."""
        if name not in self.by_name:
            raise TemplateProblem(f"{name}.html", None, "there is no such template")
        try:
            return self.by_name[name].render(variables)
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


def tried(made: jinja2.Environment, names: list[str], folder: Path) -> list[Finding]:
    """Render each template for two made-up people and report the first failure of each."""
    return [found for name in names if not is_part(name) and (found := failure(made, name, folder))]


def failure(made: jinja2.Environment, name: str, folder: Path) -> Finding | None:
    try:
        for variables in (FULL, BARE):
            made.get_template(name).render(variables)
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
