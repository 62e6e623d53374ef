"""Which files of a folder are templates; what else lies there, and why that is ignored."""

import os
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from gcsched.adapters.mail.template_check import Finding, is_part, no_file

REQUIRED = "doc.html"
KINDS = (".html", ".txt")
MOST_LOOKED_AT = 1_000
"""Files in sub-folders that are looked at: the folder named may be a home folder by mistake."""
MOST_NAMED = 3
LINK_OUT = "only a link that leads out of it: copy the file"


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateFiles:
    """The names of templates and text parts; *ignored* are files that may be meant as such."""

    html: list[str]
    text: list[str]
    problems: list[Finding]
    ignored: list[Finding]


def survey(folder: Path) -> TemplateFiles:
    """List what *folder* holds; no file is read yet."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        return TemplateFiles(html=[], text=[], problems=[no_folder(folder, error)], ignored=[])
    names, problems, ignored = list[str](), list[Finding](), list[Finding]()
    for entry in entries:
        if (reason := reason_to_ignore(entry)) is not None:
            ignored += [Finding(entry.name, None, f"ignored: {reason}")] if reason else []
        elif is_folder(entry):
            continue
        elif leads_out(folder, entry):
            problems.append(Finding(entry.name, None, f"{no_file(entry.name)}, {LINK_OUT}"))
        else:
            names.append(entry.name)
    if REQUIRED not in names and REQUIRED not in [found.file for found in problems]:
        problems.append(missing(folder, [entry.name for entry in entries]))
    html, text = ([name for name in names if name.endswith(kind)] for kind in KINDS)
    ignored += alone(html, text)
    return TemplateFiles(html=html, text=text, problems=problems, ignored=ignored)


def no_folder(folder: Path, error: OSError) -> Finding:
    if isinstance(error, NotADirectoryError):
        return Finding(f"{folder}", None, f"this is not a folder: name the one with {REQUIRED}")
    if isinstance(error, FileNotFoundError):
        return Finding(f"{folder}", None, f"there is no such folder; it must hold {REQUIRED}")
    return Finding(f"{folder}", None, f"the folder cannot be read: {error.strerror}")


def missing(folder: Path, names: Iterable[str]) -> Finding:
    alike = [name for name in names if name.casefold() == REQUIRED and name != REQUIRED]
    hint = f"; {alike[0]} is there: rename it in small letters" if alike else ""
    problem = f"this file is missing: it makes the mails of requests that name no template{hint}"
    return Finding(f"{folder / REQUIRED}", None, problem)


def reason_to_ignore(entry: "os.DirEntry[str]") -> str | None:
    """Return why *entry* is not used: "" needs no report; None, it is used."""
    name = entry.name
    if name.startswith("."):
        is_of_one = any(kind in name for kind in KINDS)
        return "its name begins with a dot" if is_of_one and not is_folder(entry) else ""
    if is_folder(entry):
        return "it is a folder" if name.endswith(KINDS) else None
    if not name.endswith(KINDS):
        if name.casefold().endswith(KINDS):
            return "write the ending of its name in small letters"
        return f"the name of a template ends in {' or '.join(KINDS)}"
    if not name.isprintable():
        return "no request can name it: use letters, digits, - and _"
    return not_a_file(entry)


def leads_out(folder: Path, entry: "os.DirEntry[str]") -> bool:
    return entry.is_symlink() and not Path(entry.path).resolve().is_relative_to(folder.resolve())


def is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def not_a_file(entry: "os.DirEntry[str]") -> str | None:
    try:
        return None if entry.is_file() else missing_or_special(entry)
    except OSError as error:
        return f"it cannot be looked at: {error.strerror}"


def missing_or_special(entry: "os.DirEntry[str]") -> str:
    if entry.is_symlink() and not Path(entry.path).exists():
        return f"it links to {str(Path(entry.path).readlink())!r}, which does not exist"
    return "it is not a regular file"


def alone(html: Collection[str], text: Iterable[str]) -> Iterator[Finding]:
    """Find text parts without a template to belong to."""
    for name in text:
        page = f"{name.removesuffix('.txt')}.html"
        if page not in html and not is_part(name):
            yield Finding(name, None, f"ignored: it is the text part of {page}, which is missing")


def not_included(folder: Path, used: Collection[str]) -> Iterator[Finding]:
    """Find files in sub-folders that no template includes: they may be meant as templates."""
    found = files_below(folder)
    unused: dict[str, list[str]] = {}
    for name in islice(found, MOST_LOOKED_AT):
        if name not in used and name.casefold().endswith(KINDS):
            unused.setdefault(top(name), []).append(name)
    cut = next(found, None)
    for below, names in sorted(unused.items()):
        is_cut = cut is not None and below == top(cut)
        yield Finding(
            f"{below}/",
            None,
            f"ignored but for what templates include; {some(names, is_cut=is_cut)}: "
            "not included. Templates lie directly in the template folder",
        )
    if cut is not None:
        problem = f"only the first {MOST_LOOKED_AT:,} files in sub-folders were looked at"
        yield Finding(f"{folder}", None, problem)


def top(name: str) -> str:
    return name.partition("/")[0]


def some(names: list[str], *, is_cut: bool) -> str:
    """Name the first of *names*, and how many more there are where that is known."""
    more = len(names) - MOST_NAMED
    rest = " and more" if is_cut else f" and {more:,} more" if more > 0 else ""
    return f"{', '.join(names[:MOST_NAMED])}{rest}"


def files_below(folder: Path) -> Iterator[str]:
    """List the files in sub-folders, but those that are hidden or behind links."""
    for where, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        below = Path(where).relative_to(folder)
        if below.parts:
            yield from ((below / name).as_posix() for name in sorted(files) if name[0] != ".")
