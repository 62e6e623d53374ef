"""Find the templates in a folder, and report why other files there are ignored."""

import os
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from gcsched.adapters.mail.template_analysis import Finding, describe_missing_file, is_partial

REQUIRED_FILE = "doc.html"
SUFFIXES = (".html", ".txt")
MAX_FILES_SCANNED = 1_000
"""How many files in sub-folders are scanned: an operator may name a home folder by mistake."""
MAX_NAMES_SHOWN = 3
LINK_OUT = "only a link to a file outside it: copy the file"


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateFiles:
    """The names of templates and text parts; *ignored* are files that may be meant as templates."""

    html: list[str]
    text: list[str]
    problems: list[Finding]
    ignored: list[Finding]


def list_template_files(folder: Path) -> TemplateFiles:
    """List the files in *folder*; no file is read yet."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        return TemplateFiles(
            html=[], text=[], problems=[make_folder_finding(folder, error)], ignored=[]
        )
    names, problems, ignored = list[str](), list[Finding](), list[Finding]()
    for entry in entries:
        if (reason := reason_to_ignore(entry)) is not None:
            ignored += [Finding(entry.name, None, f"ignored: {reason}")] if reason else []
        elif is_folder(entry):
            continue
        elif links_outside(folder, entry):
            problems.append(
                Finding(entry.name, None, f"{describe_missing_file(entry.name)}, {LINK_OUT}")
            )
        else:
            names.append(entry.name)
    # A doc.html that is a link to outside was reported already, with a better reason.
    if REQUIRED_FILE not in names and REQUIRED_FILE not in [found.file for found in problems]:
        problems.append(make_missing_finding(folder, [entry.name for entry in entries]))
    html, text = ([name for name in names if name.endswith(kind)] for kind in SUFFIXES)
    ignored += find_unpaired_texts(html, text)
    return TemplateFiles(html=html, text=text, problems=problems, ignored=ignored)


def make_folder_finding(folder: Path, error: OSError) -> Finding:
    if isinstance(error, NotADirectoryError):
        return Finding(
            f"{folder}", None, f"this is not a folder: name the one with {REQUIRED_FILE}"
        )
    if isinstance(error, FileNotFoundError):
        return Finding(f"{folder}", None, f"there is no such folder; it must hold {REQUIRED_FILE}")
    return Finding(f"{folder}", None, f"the folder cannot be read: {error.strerror}")


def make_missing_finding(folder: Path, names: Iterable[str]) -> Finding:
    alike = [name for name in names if name.casefold() == REQUIRED_FILE and name != REQUIRED_FILE]
    hint = f"; {alike[0]} is there: rename it in small letters" if alike else ""
    problem = f"this file is missing: it makes the mails of requests that name no template{hint}"
    return Finding(f"{folder / REQUIRED_FILE}", None, problem)


def reason_to_ignore(entry: "os.DirEntry[str]") -> str | None:
    """Return why *entry* is ignored; "" if that needs no report, None if it is used."""
    name = entry.name
    if name.startswith("."):
        is_like_template = any(kind in name for kind in SUFFIXES)
        return "its name starts with a dot" if is_like_template and not is_folder(entry) else ""
    if is_folder(entry):
        return "it is a folder" if name.endswith(SUFFIXES) else None
    if not name.endswith(SUFFIXES):
        if name.casefold().endswith(SUFFIXES):
            return "write the ending of its name in small letters"
        return f"the name of a template ends in {' or '.join(SUFFIXES)}"
    if not name.isprintable():
        return "no request can name it: use letters, digits, - and _"
    return reason_not_a_file(entry)


def links_outside(folder: Path, entry: "os.DirEntry[str]") -> bool:
    return entry.is_symlink() and not Path(entry.path).resolve().is_relative_to(folder.resolve())


def is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def reason_not_a_file(entry: "os.DirEntry[str]") -> str | None:
    try:
        return None if entry.is_file() else describe_non_file(entry)
    except OSError as error:
        return f"it cannot be read: {error.strerror}"


def describe_non_file(entry: "os.DirEntry[str]") -> str:
    if entry.is_symlink() and not Path(entry.path).exists():
        return f"it links to {str(Path(entry.path).readlink())!r}, which does not exist"
    return "it is not a regular file"


def find_unpaired_texts(html: Collection[str], text: Iterable[str]) -> Iterator[Finding]:
    """Report the text parts without a template."""
    for name in text:
        page = f"{name.removesuffix('.txt')}.html"
        if page not in html and not is_partial(name):
            yield Finding(name, None, f"ignored: it is the text part of {page}, which is missing")


def find_unincluded_files(folder: Path, used: Collection[str]) -> Iterator[Finding]:
    """Report the files in sub-folders that no template includes: they may be meant as templates."""
    found = walk_subfolders(folder)
    unused: dict[str, list[str]] = {}
    for name in islice(found, MAX_FILES_SCANNED):
        if name not in used and name.casefold().endswith(SUFFIXES):
            unused.setdefault(top_folder(name), []).append(name)
    cut = next(found, None)
    for below, names in sorted(unused.items()):
        is_cut = cut is not None and below == top_folder(cut)
        yield Finding(
            f"{below}/",
            None,
            f"ignored, because no template includes {format_names(names, is_cut=is_cut)}. "
            "Templates must be directly in the template folder",
        )
    if cut is not None:
        problem = f"only the first {MAX_FILES_SCANNED:,} files in sub-folders were scanned"
        yield Finding(f"{folder}", None, problem)


def top_folder(name: str) -> str:
    return name.partition("/")[0]


def format_names(names: list[str], *, is_cut: bool) -> str:
    """Format the first of *names*, and the number of the others where it is known."""
    more = len(names) - MAX_NAMES_SHOWN
    rest = " and more" if is_cut else f" and {more:,} more" if more > 0 else ""
    return f"{', '.join(names[:MAX_NAMES_SHOWN])}{rest}"


def walk_subfolders(folder: Path) -> Iterator[str]:
    """Yield the files in sub-folders, without those that are hidden or behind links."""
    for where, folders, files in os.walk(folder):
        # In place, which keeps os.walk out of hidden folders.
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        below = Path(where).relative_to(folder)
        if below.parts:
            yield from ((below / name).as_posix() for name in sorted(files) if name[0] != ".")
