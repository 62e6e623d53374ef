"""Find the problems of templates at start-up, before any mail is sent."""

import posixpath
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from traceback import walk_tb
from types import TracebackType
from typing import NamedTuple
from weakref import WeakKeyDictionary

from jinja2 import (
    Environment,
    TemplateError,
    TemplateNotFound,
    TemplatesNotFound,
    TemplateSyntaxError,
    meta,
    nodes,
)
from jinja2.defaults import DEFAULT_NAMESPACE

TEMPLATE_ERRORS = (
    *(TemplateError, ArithmeticError, AttributeError, LookupError),
    *(RuntimeError, SyntaxError, TypeError, ValueError),
)
"""All that the code of a template may raise; SyntaxError: Python limits the nesting of blocks."""

Names = frozenset[str]


class UnusableFile(TemplateError):
    """The file exists but cannot be a template, because of no line in particular."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(problem)
        self.name = name


class Finding(NamedTuple):
    file: str
    line: int | None
    problem: str


class Reference(NamedTuple):
    """A file, and the line that names it; *required* unless that line says ``ignore missing``."""

    name: str
    file: str
    line: int | None
    required: bool


class NamesOfFile(NamedTuple):
    """What one file does with names: those it defines, tests, and takes from elsewhere.

    *needed* are the uses of names without a default.
    """

    defined: Names
    tested: Names
    undeclared: Names
    needed: tuple[nodes.Name, ...]


_names_of_files: WeakKeyDictionary[nodes.Template, NamesOfFile] = WeakKeyDictionary()
"""Kept for each tree: a template is examined once for each of the files that it is part of."""


def is_partial(name: str) -> bool:
    """Return whether a file is for inclusion only: in a sub-folder, or named with a leading _."""
    return "/" in name or name.startswith("_")


class ParseResult(NamedTuple):
    """The problems that parsing found, and the tree of every file that can be parsed."""

    findings: list[Finding]
    trees: dict[str, nodes.Template]


def parse_templates(environment: Environment, names: list[str]) -> ParseResult:
    """Compile *names* and every file they refer to; nothing is rendered."""
    findings, trees = list[Finding](), dict[str, nodes.Template]()
    waiting = [Reference(name, name, None, required=True) for name in names]
    while waiting:
        reference = waiting.pop(0)
        if reference.name in trees:
            continue
        try:
            tree = trees[reference.name] = compile_template(environment, reference.name)
        except TemplateNotFound as error:
            if reference.required:
                findings.append(
                    Finding(reference.file, reference.line, describe_missing_file(error.name))
                )
        except TEMPLATE_ERRORS as error:
            findings.append(make_finding(error, reference.name))
        else:
            waiting += find_references(tree, reference.name)
    return ParseResult(findings, trees)


def is_blank(tree: nodes.Template) -> bool:
    """Return whether a file holds nothing but comments, spaces and line ends."""
    parts = [part for output in tree.body for part in getattr(output, "nodes", [output])]
    return all(isinstance(part, nodes.TemplateData) and not part.data.strip() for part in parts)


def find_included(trees: Mapping[str, nodes.Template]) -> Names | None:
    """Return the names of all files that templates refer to; None if some are computed."""
    names = set[str]()
    for file, tree in trees.items():
        named = list(find_references(tree, file))
        if len(named) < len(list(tree.find_all(REFERENCE_NODES))):
            return None  # such a name is known when the template is rendered, not before
        names.update(posixpath.normpath(each.name) for each in named)
    return frozenset(names)


def compile_template(environment: Environment, name: str) -> nodes.Template:
    if environment.loader is None:
        raise TemplateNotFound(name)
    source, _, _ = environment.loader.get_source(environment, name)
    environment.get_template(name)  # finds unknown filters and tests, which parsing does not
    return environment.parse(source, name)


REFERENCE_NODES = (nodes.Extends, nodes.Include, nodes.Import, nodes.FromImport)


def find_references(tree: nodes.Template, file: str) -> Iterator[Reference]:
    """Yield the files that are named literally; a computed name cannot be checked in advance."""
    for node in tree.find_all(REFERENCE_NODES):
        target = getattr(node, "template", None)
        if isinstance(target, nodes.Const) and isinstance(target.value, str):
            required = not getattr(node, "ignore_missing", False)
            yield Reference(target.value, file, node.lineno, required=required)


def find_unknown_variables(
    name: str, trees: dict[str, nodes.Template], known: Names
) -> list[Finding]:
    """Report the variables that template *name* uses and no caller of it provides."""
    listed = ", ".join(sorted(known))
    return [
        Finding(file, node.lineno, f"unknown variable {node.name!r}: use one of {listed}")
        for file, node in find_undeclared(name, trees, known)
    ]


def find_required_variables(name: str, trees: dict[str, nodes.Template], known: Names) -> Names:
    """Return the variables that template *name* cannot be rendered without, beside *known*."""
    return frozenset(node.name for _, node in find_undeclared(name, trees, known))


def find_undeclared(
    name: str, trees: dict[str, nodes.Template], known: Names
) -> Iterator[tuple[str, nodes.Name]]:
    """Yield the names that no file of template *name* defines and that rendering it needs.

    Scopes are not examined here: rendering the template for sample recipients shows those errors.
    """
    reached = collect_reachable(name, trees)
    examined = {file: examine_names(tree) for file, tree in reached.items()}
    defined = known.union(DEFAULT_NAMESPACE, *(each.defined for each in examined.values()))
    tested = frozenset[str]().union(*(each.tested for each in examined.values()))
    for file, names in examined.items():
        unknown = names.undeclared - defined - tested
        yield from ((file, node) for node in names.needed if node.name in unknown)


def examine_names(tree: nodes.Template) -> NamesOfFile:
    if (known := _names_of_files.get(tree)) is not None:
        return known
    with_default = {id(node) for node in find_defaulted_names(tree)}
    found = _names_of_files[tree] = NamesOfFile(
        defined=frozenset(find_defined_names(tree)),
        tested=frozenset(find_tested_names(tree)),
        undeclared=frozenset(meta.find_undeclared_variables(tree)),
        needed=tuple(node for node in tree.find_all(nodes.Name) if id(node) not in with_default),
    )
    return found


def has_name(trees: Mapping[str, nodes.Template], name: str) -> bool:
    """Return whether what is rendered may depend on the variable *name*."""
    return any(each.name == name for tree in trees.values() for each in tree.find_all(nodes.Name))


def collect_reachable(name: str, trees: dict[str, nodes.Template]) -> dict[str, nodes.Template]:
    """Return the trees of *name* and of all files that it refers to, directly or through others."""
    reached, waiting = dict[str, nodes.Template](), [name]
    while waiting:
        file = waiting.pop()
        if file in trees and file not in reached:
            reached[file] = trees[file]
            waiting += [each.name for each in find_references(trees[file], file)]
    return reached


def find_defaulted_names(tree: nodes.Template) -> Iterator[nodes.Node]:
    """Yield the uses of names that have a default: ``{{ room | default('?') }}``."""
    for node in tree.find_all(nodes.Filter):
        if node.name in {"default", "d"} and isinstance(node.node, nodes.Name):
            yield node.node


def find_tested_names(tree: nodes.Template) -> Iterator[str]:
    """Yield the names that the template tests: ``{% if room is defined %}``."""
    for node in tree.find_all(nodes.Test):
        if node.name in {"defined", "undefined"} and isinstance(node.node, nodes.Name):
            yield node.node.name


def find_defined_names(tree: nodes.Template) -> Iterator[str]:
    for node in tree.find_all((nodes.Name, nodes.Macro, nodes.Import, nodes.FromImport)):
        match node:
            case nodes.Name(name=name, ctx="store" | "param") | nodes.Macro(name=name):
                yield name
            case nodes.Import(target=target):
                yield target
            case nodes.FromImport(names=names):
                yield from (name if isinstance(name, str) else name[1] for name in names)


def describe_missing_file(name: object) -> str:
    return f"there is no file {name!r} in the template folder"


def make_finding(error: Exception, name: str, folder: Path | None = None) -> Finding:
    """Return where and why a template failed, with file and line where the error knows them."""
    if isinstance(error, UnusableFile):
        return Finding(error.name, None, f"{error}")
    if isinstance(error, TemplateSyntaxError):
        return Finding(error.name or name, error.lineno, error.message or "syntax error")
    if isinstance(error, SyntaxError):
        # Its line number counts in the Python code that jinja2 generates.
        return Finding(name, None, error.msg)
    places = list(find_template_lines(folder, error.__traceback__)) if folder else []
    file, line = places[-1] if places else (name, None)
    return Finding(file, line, describe_error(error, is_rendered=folder is not None))


def describe_error(error: Exception, *, is_rendered: bool) -> str:
    match error:
        case TemplatesNotFound():
            return f"none of the files {quote_names(error.templates)} is in the template folder"
        case TemplateNotFound():
            return describe_missing_file(error.name)
        case RecursionError() if is_rendered:
            return "it extends, includes or calls itself endlessly"
        case RecursionError():
            return "its code is nested too deeply"
        case _:
            return f"{error}"


def quote_names(names: Iterable[object]) -> str:
    return ", ".join(map(repr, names))


def find_template_lines(folder: Path, trace: TracebackType | None) -> Iterator[tuple[str, int]]:
    """Yield the frames of a traceback that are template lines; jinja2 names frames by file."""
    for frame, line in walk_tb(trace):
        file = Path(frame.f_code.co_filename)
        if file.is_relative_to(folder):
            yield file.relative_to(folder).as_posix(), line
