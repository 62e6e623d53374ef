"""The mail templates: all loaded and checked at start-up, one rendered per mail."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple, Protocol, Self

import jinja2
from jinja2 import nodes

from gcsched.adapters.mail.prerendering import Prerenderer
from gcsched.adapters.mail.template_analysis import (
    TEMPLATE_ERRORS,
    Finding,
    Names,
    collect_reachable,
    find_required_variables,
    has_name,
    make_finding,
)
from gcsched.adapters.mail.template_folder import default_folder, read_source
from gcsched.adapters.mail.template_structure import qualifies
from gcsched.adapters.mail.template_validation import (
    FolderValidation,
    PartTemplates,
    validate_folder,
)
from gcsched.adapters.mail.template_variables import NO_VARIABLES, STANDARD_VARIABLES, Variables
from gcsched.domain.mail import TemplateInfo
from gcsched.domain.meetings.mails import TEMPLATES
from gcsched.errors import TemplateProblem

DIGEST_LENGTH = 8
"""Of hexadecimal digits: one of so few versions of a template is hardly another by chance."""


class RenderedParts(NamedTuple):
    """The two parts of one mail."""

    html: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """The compiled parts of one template, and the variables that it requires of a caller."""

    html: jinja2.Template
    text: jinja2.Template | None
    required_variables: Names
    digest: str
    prerenderer: Prerenderer | None = None

    def render(self, variables: Variables, data: Mapping[str, str]) -> RenderedParts:
        # The standard variables last, so that a caller cannot override them.
        values = {**data, **variables}
        html = self.html.render(values)
        return RenderedParts(html, self.text.render(values) if self.text else html_to_text(html))


class TemplateSet(Protocol):
    """The templates as the service uses them."""

    @property
    def folder(self) -> Path:
        """Return the folder of the template files."""

    @property
    def variables_by_template(self) -> Mapping[str, Names]:
        """Return the names of all templates, each with its required variables."""

    def list_info(self) -> list[TemplateInfo]: ...
    def find_digest(self, name: str) -> str: ...
    def render(
        self, name: str, variables: Variables, data: Mapping[str, str] = NO_VARIABLES
    ) -> RenderedParts: ...
    def find_prerenderer(self, name: str) -> Prerenderer | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Templates:
    """The checked templates of one folder: ``doc`` is doc.html and, if it exists, doc.txt."""

    folder: Path
    by_name: Mapping[str, Template]
    warnings: tuple[Finding, ...] = ()

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Compile, check and render all of *folder*. Raises TemplateProblem, one for all."""
        validation = validate_folder(folder)
        if validation.problems:
            problems = [TemplateProblem(*found) for found in validation.problems]
            raise TemplateProblem.join(problems)
        return cls.from_validation(validation)

    @classmethod
    def from_validation(cls, validation: FolderValidation) -> Self:
        """Build the templates of a folder that was validated and has no problems.

        A folder without some of the templates for meetings gets the built-in ones: most folders
        were made for mails without a meeting.
        """
        by_name = compile_templates(validation)
        if not by_name.keys() >= set(TEMPLATES.values()):
            by_name = {**load_builtin_templates(), **by_name}
        return cls(folder=validation.folder, by_name=by_name, warnings=tuple(validation.warnings))

    @property
    def variables_by_template(self) -> Mapping[str, Names]:
        return {name: each.required_variables for name, each in self.by_name.items()}

    def list_info(self) -> list[TemplateInfo]:
        """List the templates for callers, in the order of their names."""
        return [
            TemplateInfo(
                name=name,
                required_variables=tuple(sorted(each.required_variables)),
                has_text=each.text is not None,
                digest=each.digest,
            )
            for name, each in sorted(self.by_name.items())
        ]

    def find_digest(self, name: str) -> str:
        """Return the digest of the files of template *name*; "" if it does not exist."""
        template = self.by_name.get(name)
        return "" if template is None else template.digest

    def find_prerenderer(self, name: str) -> Prerenderer | None:
        """Return what renders template *name* once for many mails; None if it does not qualify."""
        template = self.by_name.get(name)
        return None if template is None else template.prerenderer

    def render(
        self, name: str, variables: Variables, data: Mapping[str, str] = NO_VARIABLES
    ) -> RenderedParts:
        """Render template *name*. Raises TemplateProblem if it does not exist or fails.

        *data* may be any text: it is never template code, and *variables* override it.
        """
        if name not in self.by_name:
            raise TemplateProblem(f"{name}.html", None, "there is no such template")
        try:
            return self.by_name[name].render(variables, data)
        except TEMPLATE_ERRORS as error:
            raise TemplateProblem(*make_finding(error, f"{name}.html", self.folder)) from error


def compile_templates(validation: FolderValidation) -> dict[str, Template]:
    html, text = validation.html, validation.text
    required = {
        name: find_required_variables(name, part.parsed.trees, STANDARD_VARIABLES)
        for part in (html, text)
        for name in part.names
    }
    return {
        Path(name).stem: with_prerenderer(
            Template(
                html=load_template(html.environment, name),
                text=load_text_part(text, name),
                required_variables=required[name]
                | required.get(f"{Path(name).stem}.txt", frozenset()),
                digest=digest_sources(validation, name),
            ),
            collect_reachable(name, html.parsed.trees),
            collect_reachable(f"{Path(name).stem}.txt", text.parsed.trees),
        )
        for name in html.sendable_names()
    }


def digest_sources(validation: FolderValidation, html_name: str) -> str:
    """Return a digest of the files of which template *html_name* is made."""
    parts = ((validation.html, html_name), (validation.text, f"{Path(html_name).stem}.txt"))
    digest = sha256()
    for part, first in parts:
        for name in sorted(collect_reachable(first, part.parsed.trees)):
            found = read_source(validation.folder, name)
            digest.update(f"{name}\0{found[0] if found else ''}\0".encode())
    return digest.hexdigest()[:DIGEST_LENGTH]


@cache
def load_builtin_templates() -> Mapping[str, Template]:
    """Return the templates for meetings that come with the package."""
    compiled = compile_templates(validate_folder(default_folder()))
    return {name: compiled[name] for name in TEMPLATES.values()}


def with_prerenderer(
    template: Template, html: Mapping[str, nodes.Template], text: Mapping[str, nodes.Template]
) -> Template:
    """Return *template*, made of the trees *html* and *text*, with a prerenderer if it qualifies.

    One without a text part does not: its text is laid out anew for each mail.
    """
    if template.text is None or not (qualifies(html) and qualifies(text)):
        return template
    made = Prerenderer(
        lambda variables: template.render(variables, NO_VARIABLES),
        uses_due=has_name(html, "due") or has_name(text, "due"),
    )
    return replace(template, prerenderer=made)


def load_text_part(text: PartTemplates, html_name: str) -> jinja2.Template | None:
    name = f"{Path(html_name).stem}.txt"
    if name in text.names:
        return load_template(text.environment, name)
    load_inscriptis()  # now, at the start: the first mail should not wait for it
    return None


def load_template(environment: jinja2.Environment, name: str) -> jinja2.Template:
    template = environment.get_template(name)
    # Every rendering copies the globals, and copying jinja2's ChainMap is slow.
    template.globals = dict(template.globals)
    return template


@cache
def load_inscriptis() -> tuple[Any, Any]:
    """Import inscriptis, with lxml 5 MB, where some template has no text part of its own."""
    options = import_module("inscriptis.model.config").ParserConfig(display_links=True)
    return import_module("inscriptis").get_text, options


def html_to_text(html: str) -> str:
    """Make the text part of a template without one; it includes the targets of links."""
    get_text, options = load_inscriptis()
    text: str = get_text(html, options)
    return text
