"""The rules for names and prose: tests/measure/words.py counts breaches, a test forbids them."""

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GENERATED = ("gcsched/pb",)

COINED = frozenset(
    {
        *("bell", "ringer", "ring", "rung", "unheard", "crew", "bite", "lane", "lanes", "parked"),
        *("pacer", "pace", "carrier", "patience", "rehearse", "rehearsal", "specimen", "parcel"),
        *("worn", "lot", "takeback", "takebacks", "census", "tally", "levels", "befalling", "fate"),
        *("fates", "toy", "blocklist", "steering", "steered", "wish", "wishes", "crowd"),
        *("reopen", "reopened", "letter", "wanted", "asked", "said", "offer", "caseless"),
    }
)
"""Words that only the builders of this program knew, as parts of the names in its code."""

FIRST_WORDS = frozenset({"Give", "Tell", "Be", "Let", "Look", "Say"})
"""First words of a docstring that do not say what happens."""

PHRASES = {
    "riddle": re.compile(r"\b(whoever|nobody|somebody|himself|herself)\b", re.IGNORECASE),
    "him, his": re.compile(r"\b(him|his)\b", re.IGNORECASE),
    "in vain": re.compile(r"\bin vain\b", re.IGNORECASE),
    "told, said": re.compile(r"(?<![.=])\b(told|said)\b(?!=)", re.IGNORECASE),
    "wish": re.compile(r"\bwish(es|ed)?\b", re.IGNORECASE),
    "past its time": re.compile(r"\bpast its time\b", re.IGNORECASE),
    "begin as a noun": re.compile(r"\b(the|a|its|of|no|each) begin\b", re.IGNORECASE),
    "is no": re.compile(
        r"(?<!there )(?<!here )\b(is|are|was|were) no"
        r" (?!longer\b|more\b|less\b|later\b|earlier\b|other\b)[a-z]+",
        re.IGNORECASE,
    ),
    "none of ours": re.compile(r"\b(none|one|not|is|are) of ours\b", re.IGNORECASE),
}

IRREGULAR = frozenset(
    {
        *("begun", "bent", "bound", "bought", "broken", "brought", "built", "caught", "chosen"),
        *("drawn", "fed", "felt", "found", "forgotten", "fought", "frozen", "given", "gone"),
        *("got", "grown", "heard", "held", "hidden", "kept", "known", "laid", "led", "left"),
        *("lent", "lost", "made", "meant", "met", "paid", "rung", "said", "seen", "sent"),
        *("shaken", "shown", "slept", "sold", "sought", "spent", "spoilt", "spoken", "stood"),
        *("struck", "stuck", "taken", "taught", "thought", "thrown", "told", "understood"),
        *("won", "worn", "woken", "written"),
    }
)
NO_PARTICIPLES = frozenset(
    {"bed", "embed", "exceed", "feed", "need", "proceed", "seed", "shed", "speed", "succeed"}
)


@dataclass(frozen=True, slots=True)
class Text:
    """One piece of prose: where it stands, what kind it is, and its words."""

    path: Path
    line: int
    kind: str
    words: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.kind}: {' '.join(self.words.split())[:90]}"


def sources(*folders: str, root: Path = ROOT) -> list[Path]:
    """Return the Python files below *folders* that people write."""
    found = [path for folder in folders for path in (root / folder).rglob("*.py")]
    return sorted(
        path for path in found if path.parent.relative_to(root).as_posix() not in GENERATED
    )


def pages(root: Path = ROOT) -> list[Path]:
    """Return the pages for readers; decisions are records and keep the words of their day."""
    named = [root / name for name in ("README.md", "CHANGELOG.md", "SECURITY.md")]
    folders = [root / "docs", root / "proto", root / "templates"]
    below = [path for folder in folders for path in folder.glob("*.md")]
    return [path for path in [*named, *sorted(below)] if path.exists()]


@dataclass(frozen=True, slots=True)
class Code:
    """What the rules are about in one Python file; names come with their lines.

    *participles* are the functions named by one; methods of frozen values and nouns may be.
    """

    texts: list[Text]
    names: list[tuple[int, str]]
    participles: list[tuple[int, str]]


@cache
def read_code(path: Path) -> Code:
    """Parse one Python file, which takes longer than all the rules."""
    code = path.read_text(encoding="utf-8")
    tree = ast.parse(code)
    nodes = list(ast.walk(tree))
    return Code(
        texts=[*docstrings(path, nodes), *messages(path, nodes), *comments(path, code)],
        names=list(names_of(nodes)),
        participles=list(_participles(tree, is_frozen=False)),
    )


def texts_of_page(path: Path) -> Iterator[Text]:
    """Yield the lines of a page that are prose: blocks of code and quoted names are left out."""
    is_code = False
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line.lstrip().startswith("```"):
            is_code = not is_code
        elif not is_code:
            yield Text(path, number, "page", re.sub(r"`[^`]*`", "`…`", line))


def texts_of_contract(path: Path) -> Iterator[Text]:
    """Yield the comments of a .proto file."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        _, mark, comment = line.partition("//")
        if mark:
            yield Text(path, number, "contract", comment.strip())


def docstrings(path: Path, nodes: list[ast.AST]) -> Iterator[Text]:
    for node in nodes:
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            if words := ast.get_docstring(node):
                yield Text(path, node.body[0].lineno, "docstring", words)
        elif isinstance(node, ast.Expr) and _is_string(node.value):
            yield Text(path, node.lineno, "docstring", ast.literal_eval(node.value))


def _is_string(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def messages(path: Path, nodes: list[ast.AST]) -> Iterator[Text]:
    """Yield the strings with a space in them: errors, log events, help; docstrings come above."""
    statements = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            is_message = " " in node.value.strip() and id(node) not in statements
            if is_message:
                yield Text(path, node.lineno, "message", node.value)


STRING_OR_COMMENT = re.compile(
    r"""'''(?:\\.|[^\\])*?'''|\"{3}(?:\\.|[^\\])*?\"{3}"""
    r"""|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|(?P<comment>\#[^\n]*)""",
    re.DOTALL,
)
"""The same comments as those of the module tokenize, in a twentieth of its time."""


def comments(path: Path, code: str) -> Iterator[Text]:
    for found in STRING_OR_COMMENT.finditer(code):
        if comment := found["comment"]:
            yield Text(
                path, code.count("\n", 0, found.start()) + 1, "comment", comment.lstrip("# ")
            )


def offences(text: Text) -> list[str]:
    """Return the rules that *text* breaks."""
    found = [name for name, pattern in PHRASES.items() if pattern.search(text.words)]
    first = re.match(r"\w+", text.words)
    if text.kind == "docstring" and first and first[0] in FIRST_WORDS:
        found.append(f"first word {first[0]}")
    return found


def names_of(nodes: list[ast.AST]) -> Iterator[tuple[int, str]]:
    """Yield each place where a name is defined: functions, classes, parameters, variables."""
    for node in nodes:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield node.lineno, node.name
            case ast.arg():
                yield node.lineno, node.arg
            case ast.Name(ctx=ast.Store()):
                yield node.lineno, node.id
            case ast.Attribute(ctx=ast.Store()):
                yield node.lineno, node.attr


def words_of(name: str) -> list[str]:
    """Split *name* into its words: ``RateLimit`` and ``rate_limit`` have the same two."""
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)]


def is_coined(name: str) -> bool:
    return not COINED.isdisjoint(words_of(name))


def _participles(tree: ast.AST, *, is_frozen: bool) -> Iterator[tuple[int, str]]:
    for node in ast.iter_child_nodes(tree):
        match node:
            case ast.ClassDef():
                yield from _participles(node, is_frozen=_is_frozen(node))
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                first = (words_of(node.name) or [""])[0]
                if is_participle(first) and not (is_frozen or _is_noun(node)):
                    yield node.lineno, node.name
                yield from _participles(node, is_frozen=False)
            case ast.stmt() | ast.excepthandler() | ast.match_case():
                yield from _participles(node, is_frozen=is_frozen)


def _is_noun(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Return whether the name stands for a value: a property, or a fixture of pytest."""
    marks = [ast.unparse(each) for each in node.decorator_list]
    return any("property" in mark or "fixture" in mark for mark in marks)


def is_participle(word: str) -> bool:
    return (word.endswith("ed") and word not in NO_PARTICIPLES) or word in IRREGULAR


def _is_frozen(node: ast.ClassDef) -> bool:
    marks = [ast.unparse(each) for each in (*node.decorator_list, *node.bases, *node.keywords)]
    return any("frozen=True" in mark or mark in {"NamedTuple", "StrEnum"} for mark in marks)


LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


def broken_links(paths: Iterable[Path]) -> list[str]:
    """Return the links between files of the project that lead nowhere, anchors included."""
    return [
        f"{path}:{number}: {target}"
        for path in paths
        for number, line in _lines_outside_code(path)
        for target in LINK.findall(line)
        if not re.match(r"[a-z]+:", target) and not _leads_somewhere(path, target)
    ]


def _leads_somewhere(page: Path, target: str) -> bool:
    file, _, anchor = target.partition("#")
    there = (page.parent / file).resolve() if file else page
    if not there.exists():
        return False
    return not anchor or there.suffix != ".md" or anchor in anchors_of(there)


def anchors_of(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = [line.lstrip("#") for _, line in _lines_outside_code(page) if line.startswith("#")]
    return {_anchor(heading) for heading in headings}


def _anchor(heading: str) -> str:
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading.strip()).lower()
    return re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")


def _lines_outside_code(path: Path) -> Iterator[tuple[int, str]]:
    is_code = False
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line.lstrip().startswith("```"):
            is_code = not is_code
        elif not is_code:
            yield number, line


MEMBER = re.compile(r"(?:(?:optional |repeated )?(?:map<[^>]*>|[\w.]+) )?(\w+) = \d+;")


def unexplained(contract: Path) -> list[str]:
    """Return the fields and enum values of a .proto file that no comment explains.

    A comment stands on the line itself, or in the lines above it; one comment above several lines
    without a blank line between them explains the first of them only.
    """
    found, is_explained = [], False
    for line in contract.read_text(encoding="utf-8").splitlines():
        text = line.strip()
        if text.startswith("//"):
            is_explained = True
        elif text:
            member = MEMBER.match(text)
            if member and not is_explained and "//" not in text:
                found.append(member[1])
            is_explained = False
    return found
