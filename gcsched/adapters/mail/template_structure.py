"""Which templates only put the values of a mail in, by their syntax trees (prerendering.py)."""

from collections.abc import Mapping

from jinja2 import nodes

from gcsched.domain.request import MEETING

NAMES = ("username", "empid", "email", "message", "job_id")
"""The variables that differ from mail to mail; `due` is shared by all mails of a second."""
MEETING_TEXTS = (
    *("summary", "when", "start", "end", "zone"),
    *("location", "url", "description", "organizer", "reason"),
)
IS_REMOVAL, CHANGES = "is_removal", "changes"
"""A value that is only tested, and the one that a template may loop over."""
MEETING_NAMES = tuple(f"{MEETING}.{name}" for name in (*MEETING_TEXTS, IS_REMOVAL))
INVITATION_NAMES = (*NAMES, *MEETING_NAMES)
DESCRIPTION = f"{MEETING}.description"
"""The only value that may have several lines; it neither begins nor ends with a line end."""
CHANGE = "change"
"""What a loop over the changes must call each of them."""
CHANGE_TEXTS = ("name", "label", "old", "new")
MAX_CHANGES = 5
CHANGE_NAMES = tuple(
    f"{MEETING}.{CHANGES}.{number}.{name}" for number in range(MAX_CHANGES) for name in CHANGE_TEXTS
)


def qualifies(trees: Mapping[str, nodes.Template]) -> bool:
    """Return whether each of *trees*, all that one template is made of, only puts values in."""
    return all(_is_structure(tree) for tree in trees.values())


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
        case nodes.For(target=nodes.Name(name=name), test=None, else_=[], recursive=False):
            is_over_changes = name == CHANGE and _is_meeting_value(node.iter, CHANGES)
            return is_over_changes and all(map(_is_structure, node.body))
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
        case nodes.Name() | nodes.Getattr():
            return _is_value(node) or _is_from_due(node)
        case nodes.Concat():
            return all(map(_is_output, node.nodes))
        case nodes.CondExpr():
            parts = [node.expr1, *([node.expr2] if node.expr2 is not None else [])]
            return _is_test(node.test) and all(map(_is_output, parts))
    return _is_from_due(node)


def _is_value(node: nodes.Name | nodes.Getattr) -> bool:
    """Return whether *node* is a text that can be filled in."""
    match node:
        case nodes.Name():
            return node.name in NAMES
        case nodes.Getattr(node=nodes.Name(name=name), attr=attribute) if name == CHANGE:
            return attribute in CHANGE_TEXTS
    return _is_meeting_value(node, *MEETING_TEXTS)


def _is_meeting_value(node: nodes.Node, *names: str) -> bool:
    """Return whether *node* is one of *names* of the meeting."""
    match node:
        case nodes.Getattr(node=nodes.Name(name=name), attr=attribute) if name == MEETING:
            return attribute in names
    return False


def _is_test(node: nodes.Node) -> bool:
    """Return whether a condition asks only which values are empty, or depends on none."""
    match node:
        case nodes.Name() | nodes.Getattr():
            is_flag = _is_meeting_value(node, IS_REMOVAL, CHANGES)
            return is_flag or _is_value(node) or _is_from_due(node)
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
