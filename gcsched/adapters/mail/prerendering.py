"""Render a template once, keep what does not vary, and only join the values of each mail.

Rendering costs more than everything else in a mail together. A template qualifies when its syntax
tree proves that the callers' values are only put in and tested for being empty: then one rendering
with a marker for each value, split at the markers, gives the constants of all mails that share the
values' emptiness (and the due time, where the template uses it). Every other template, and every
value that is not plain ASCII, is rendered as before; both ways give the same octets.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Self, cast
from zoneinfo import ZoneInfo

from jinja2 import nodes
from markupsafe import escape

from gcsched.adapters.mail.mime import (
    BOUNDARY_PREFIX,
    MAX_LINE_OCTETS,
    PLAIN,
    Bodies,
    Body,
    normalize_newlines,
)
from gcsched.adapters.mail.template_analysis import TEMPLATE_ERRORS
from gcsched.adapters.mail.template_variables import Variables

NAMES = ("username", "empid", "email", "message", "job_id")
"""The variables that differ from mail to mail; `due` is shared by all mails of a second."""

# Characters for private use: no escaping changes them, and only templates in ASCII qualify.
MARKER = re.compile("\ue000([0-9])\ue001")
ESCAPED_IN_HTML = re.compile("[&<>\"']")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MAX_CACHED = 64  # renderings of one template, some 10 KB each


def qualifies(trees: Mapping[str, nodes.Template]) -> bool:
    """Return whether each of *trees*, all that one template is made of, only puts values in."""
    return all(_is_structure(tree) for tree in trees.values())


def uses_due(trees: Mapping[str, nodes.Template]) -> bool:
    """Return whether what is rendered may depend on the due time."""
    return any(name.name == "due" for tree in trees.values() for name in tree.find_all(nodes.Name))


def _is_structure(node: nodes.Node) -> bool:
    match node:
        case nodes.Output():
            return all(_is_output(each) for each in node.nodes)
        case nodes.If():
            parts = [*node.body, *node.elif_, *node.else_]
            return _is_test(node.test) and all(map(_is_structure, parts))
        case nodes.Template() | nodes.Block():
            return all(map(_is_structure, node.body))
        case nodes.Extends() | nodes.Include():
            return _names_one_file(node)
    return False


def _names_one_file(node: nodes.Extends | nodes.Include) -> bool:
    is_required = isinstance(node, nodes.Extends) or not node.ignore_missing
    return is_required and isinstance(node.template, nodes.Const)  # not a list to choose from


def _is_output(node: nodes.Node) -> bool:
    """Return whether an expression puts values in as they are, or depends on none of them."""
    match node:
        case nodes.TemplateData():
            return node.data.isascii()  # other text needs an encoding, which depends on the whole
        case nodes.Const():
            return str(node.value).isascii()
        case nodes.Name():
            return node.name in NAMES or _is_from_due(node)
        case nodes.Concat():
            return all(map(_is_output, node.nodes))
        case nodes.CondExpr():
            parts = [node.expr1, *([node.expr2] if node.expr2 is not None else [])]
            return _is_test(node.test) and all(map(_is_output, parts))
    return _is_from_due(node)


def _is_test(node: nodes.Node) -> bool:
    """Return whether a condition asks only which values are empty, or depends on none."""
    match node:
        case nodes.Name():
            return node.name in NAMES or _is_from_due(node)
        case nodes.Not():
            return _is_test(node.node)
        case nodes.And() | nodes.Or():
            return _is_test(node.left) and _is_test(node.right)
    return _is_from_due(node)


def _is_from_due(node: nodes.Node) -> bool:
    """Return whether an expression depends on nothing but the due time.

    Calls are allowed on what comes from `due` alone: a method of a caller's text, as in
    ``message.format(…)``, would run that text as a format string.
    """
    match node:
        case nodes.Const():
            return True
        case nodes.Name():
            return node.name == "due" and node.ctx == "load"
        case nodes.Call():
            return isinstance(node.node, nodes.Getattr) and _children_are_from_due(node)
        case (
            nodes.Getattr()
            | nodes.Getitem()
            | nodes.Filter()
            | nodes.Compare()
            | nodes.Operand()
            | nodes.BinExpr()
            | nodes.Concat()
            | nodes.Not()
        ):
            return _children_are_from_due(node)
    return False


def _children_are_from_due(node: nodes.Node) -> bool:
    return all(map(_is_from_due, node.iter_child_nodes()))


@dataclass(frozen=True, slots=True)
class PrerenderedPart:
    """One part of a mail without its values: a constant, a value's name, a constant, ...

    The constants have CRLF line ends. *slack* is how many octets the values may have together so
    that no line becomes longer than RFC 5322 allows. *has_dot_line* says whether a line of the
    constants begins with a dot, *line_starts* which values may begin a line.
    """

    constants: tuple[str, ...]
    names: tuple[str, ...]
    slack: int
    has_dot_line: bool
    line_starts: frozenset[str]

    @classmethod
    def split(cls, rendered: str) -> Self | None:
        """Split *rendered* at its markers; None where its own text may need an encoding."""
        lines = normalize_newlines(rendered)
        pieces = MARKER.split(lines.removesuffix("\n").replace("\n", "\r\n"))
        constants, names = pieces[::2], [NAMES[int(number)] for number in pieces[1::2]]
        text = "".join(constants)
        if text.encode().translate(None, PLAIN + b"\r") or BOUNDARY_PREFIX in text:
            return None
        # The part begins on a line of its own, as if a line end came before it.
        before = [f"\r\n{constants[0]}", *constants[1:]]
        return cls(
            constants=tuple(constants),
            names=tuple(names),
            slack=MAX_LINE_OCTETS - max(map(len, MARKER.sub("", lines).split("\n"))),
            has_dot_line=any("\r\n." in constant for constant in before),
            line_starts=frozenset(
                name for at, name in enumerate(names) if before[at].endswith("\r\n")
            ),
        )

    def fill(self, values: Mapping[str, str]) -> bytes | None:
        """Return the octets with *values* put in; None where a line could be too long."""
        filled = [values[name] for name in self.names]
        if sum(map(len, filled)) > self.slack:
            return None
        pieces = [""] * (2 * len(filled) + 1)
        pieces[::2], pieces[1::2] = self.constants, filled
        return "".join(pieces).encode()

    def may_have_dot_line(self, values: Mapping[str, str]) -> bool:
        return self.has_dot_line or any(values[name][0] == "." for name in self.line_starts)


@dataclass(frozen=True, slots=True)
class PrerenderedMail:
    """Both parts of the mails that share a template, a due time and which values are empty."""

    html: PrerenderedPart
    text: PrerenderedPart

    def fill(self, values: Mapping[str, str], boundary: bytes) -> Bodies | None:
        """Return the bodies with *values* put in.

        None where a body may need an encoding, which depends on the whole of it: then the mail is
        rendered and encoded as one.
        """
        joined, escaped = "".join(values.values()), values
        if not joined.isascii() or not joined.isprintable() or BOUNDARY_PREFIX in joined:
            return None
        if ESCAPED_IN_HTML.search(joined):
            escaped = {name: str(escape(value)) for name, value in values.items()}
        text, html = self.text.fill(values), self.html.fill(escaped)
        if text is None or html is None:
            return None
        has_dots = self.text.may_have_dot_line(values) or self.html.may_have_dot_line(escaped)
        return Bodies(boundary, Body(b"7bit", text), Body(b"7bit", html), is_canonical=not has_dots)


class Prerenderer:
    """The renderings of one template that qualifies, each made once and kept.

    *render* renders both parts, HTML first; *uses_due* says whether what it makes depends on the
    due time: if not, all mails with the same values present share one rendering.
    """

    def __init__(self, render: Callable[[Variables], tuple[str, str]], *, uses_due: bool) -> None:
        self._render = render
        self._uses_due = uses_due
        self._kept = lru_cache(maxsize=MAX_CACHED)(self._prerender)

    def find(
        self, values: Mapping[str, str], due: datetime, zone: ZoneInfo
    ) -> PrerenderedMail | None:
        """Return the rendering for mails with *values* that are due at *due*, shown in *zone*.

        None where the template fails for them, or its own text needs an encoding.
        """
        present = tuple([bool(values[name]) for name in NAMES])
        return self._kept(present, due if self._uses_due else EPOCH, zone)

    def _prerender(
        self, present: tuple[bool, ...], due: datetime, zone: ZoneInfo
    ) -> PrerenderedMail | None:
        marked = {
            name: f"\ue000{number}\ue001" if is_present else ""
            for number, (name, is_present) in enumerate(zip(NAMES, present, strict=True))
        }
        variables = cast("Variables", {**marked, "due": due.astimezone(zone)})
        try:
            html, text = self._render(variables)
        except TEMPLATE_ERRORS:
            return None  # rendering it with the values says what is wrong
        parts = PrerenderedPart.split(html), PrerenderedPart.split(text)
        if parts[0] is None or parts[1] is None:
            return None
        return PrerenderedMail(parts[0], parts[1])
