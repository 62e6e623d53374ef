"""The mail templates: loaded and checked all at once at start-up, rendered once per mail."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

import jinja2
from inscriptis import get_text
from inscriptis.model.config import ParserConfig

from gcsched.adapters.mail.template_check import FAULTS, Finding, Names, finding, needs
from gcsched.adapters.mail.template_examination import Examination, Part, examine
from gcsched.adapters.mail.template_variables import KNOWN, NOTHING, Variables
from gcsched.domain.mail import TemplateFacts
from gcsched.errors import TemplateProblem


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


class TemplateSet(Protocol):
    """What the service asks of its templates."""

    @property
    def folder(self) -> Path:
        """Return the folder that they were loaded from."""

    @property
    def needs(self) -> Mapping[str, Names]:
        """The names of all templates, each with the variables it cannot be rendered without."""

    def facts(self) -> list[TemplateFacts]: ...
    def render(
        self, name: str, variables: Variables, data: Mapping[str, str] = NOTHING
    ) -> Rendered: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Templates:
    """The checked templates of one folder, by name: ``doc`` is doc.html and, if there, doc.txt."""

    folder: Path
    by_name: Mapping[str, Template]
    warnings: tuple[Finding, ...] = ()

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Compile, check and try everything in *folder*; raise one TemplateProblem for all."""
        examination = examine(folder)
        if examination.problems:
            problems = [TemplateProblem(*found) for found in examination.problems]
            raise TemplateProblem.several(problems)
        return cls.of(examination)

    @classmethod
    def of(cls, examination: Examination) -> Self:
        """Take what was examined and found to be without problems."""
        html, text = examination.html, examination.text
        needed = {
            name: needs(name, part.reading.trees, KNOWN)
            for part in (html, text)
            for name in part.names
        }
        by_name = {
            Path(name).stem: Template(
                html=got(html.environment, name),
                text=sibling(text, name),
                needs=needed[name] | needed.get(f"{Path(name).stem}.txt", frozenset()),
            )
            for name in html.to_send()
        }
        return cls(folder=examination.folder, by_name=by_name, warnings=tuple(examination.warnings))

    @property
    def needs(self) -> Mapping[str, Names]:
        return {name: each.needs for name, each in self.by_name.items()}

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


def sibling(text: Part, html_name: str) -> jinja2.Template | None:
    name = f"{Path(html_name).stem}.txt"
    return got(text.environment, name) if name in text.names else None


def got(made: jinja2.Environment, name: str) -> jinja2.Template:
    template = made.get_template(name)
    # Every rendering copies the globals, and jinja2's ChainMap is slow at that.
    template.globals = dict(template.globals)
    return template


def text_of(html: str) -> str:
    """Make the text part of a template that has none, with the targets of its links."""
    text: str = get_text(html, ParserConfig(display_links=True))
    return text
