"""Find what is wrong with templates before anybody is written to."""

from collections.abc import Iterator
from pathlib import Path
from traceback import walk_tb
from types import TracebackType
from typing import NamedTuple

from jinja2 import Environment, TemplateError, TemplateNotFound, TemplateSyntaxError, meta, nodes
from jinja2.defaults import DEFAULT_NAMESPACE

FAULTS = (
    *(TemplateError, ArithmeticError, AttributeError, LookupError),
    *(RuntimeError, TypeError, ValueError),
)
"""What the code in a template may raise."""

Names = frozenset[str]


class Finding(NamedTuple):
    file: str
    line: int | None
    problem: str


class Reference(NamedTuple):
    """A file, and the place that names it; *required* unless that says ``ignore missing``."""

    name: str
    file: str
    line: int | None
    required: bool


def is_part(name: str) -> bool:
    """Tell a file made to be included, not sent: in a sub-folder, or with a leading underscore."""
    return "/" in name or name.startswith("_")


def read_through(environment: Environment, names: list[str], known: Names) -> list[Finding]:
    """Compile *names* and every file they refer to; nothing is rendered."""
    findings, trees = list[Finding](), dict[str, nodes.Template]()
    waiting = [Reference(name, name, None, required=True) for name in names]
    while waiting:
        wanted = waiting.pop(0)
        if wanted.name in trees:
            continue
        try:
            tree = trees[wanted.name] = compiled(environment, wanted.name)
        except TemplateNotFound as error:
            if wanted.required:
                findings.append(Finding(wanted.file, wanted.line, no_file(error.name)))
        except TemplateError as error:
            findings.append(finding(error, wanted.name))
        else:
            waiting += references(tree, wanted.name)
    return [*findings, *unknown_variables(trees, known)]


def compiled(environment: Environment, name: str) -> nodes.Template:
    if environment.loader is None:
        raise TemplateNotFound(name)
    source, _, _ = environment.loader.get_source(environment, name)
    environment.get_template(name)  # finds unknown filters and tests, which parsing does not
    return environment.parse(source, name)


def references(tree: nodes.Template, file: str) -> Iterator[Reference]:
    """List the files named as plain text; a name computed when rendering is the author's risk."""
    for node in tree.find_all((nodes.Extends, nodes.Include, nodes.Import, nodes.FromImport)):
        target = getattr(node, "template", None)
        if isinstance(target, nodes.Const) and isinstance(target.value, str):
            required = not getattr(node, "ignore_missing", False)
            yield Reference(target.value, file, node.lineno, required=required)


def unknown_variables(trees: dict[str, nodes.Template], known: Names) -> Iterator[Finding]:
    """Report names that nothing defines; whether in reach where they stand, rendering shows."""
    defined = known.union(DEFAULT_NAMESPACE, *map(names_defined, trees.values()))
    offer = ", ".join(sorted(known))
    for file, tree in trees.items():
        unknown = meta.find_undeclared_variables(tree) - defined
        for node in tree.find_all(nodes.Name):
            if node.name in unknown:
                problem = f"unknown variable {node.name!r}; known are {offer}"
                yield Finding(file, node.lineno, problem)


def names_defined(tree: nodes.Template) -> Iterator[str]:
    for node in tree.find_all((nodes.Name, nodes.Macro, nodes.Import, nodes.FromImport)):
        match node:
            case nodes.Name(name=name, ctx="store" | "param") | nodes.Macro(name=name):
                yield name
            case nodes.Import(target=target):
                yield target
            case nodes.FromImport(names=names):
                yield from (name if isinstance(name, str) else name[1] for name in names)


def no_file(name: object) -> str:
    return f"there is no file {name!r} in the template folder"


def finding(error: Exception, name: str, folder: Path | None = None) -> Finding:
    """Say where and why a template failed: its own file and line if the error knows them."""
    if isinstance(error, TemplateNotFound):
        return Finding(name, None, no_file(error.name))
    if isinstance(error, TemplateSyntaxError):
        return Finding(error.name or name, error.lineno, error.message or "syntax error")
    places = list(places_in(folder, error.__traceback__)) if folder else []
    file, line = places[-1] if places else (name, None)
    return Finding(file, line, f"{error}")


def places_in(folder: Path, trace: TracebackType | None) -> Iterator[tuple[str, int]]:
    """Pick a traceback's frames that are lines of templates (jinja2 names them by file)."""
    for frame, line in walk_tb(trace):
        file = Path(frame.f_code.co_filename)
        if file.is_relative_to(folder):
            yield file.relative_to(folder).as_posix(), line
