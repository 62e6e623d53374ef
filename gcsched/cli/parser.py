"""A parser whose errors say what to write; it raises them, so that main can print them as JSON."""

import re
import shlex
from argparse import ArgumentParser
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Any, NoReturn

from gcsched.cli.failure import WrongUsage

NEGATIVE = re.compile(r"-[0-9]")
# The messages of argparse that are replaced or extended below.
UNKNOWN_COMMAND = re.compile(r"argument COMMAND: invalid choice: '(.*?)' \(choose from ")
VALUE_MISSING = re.compile(r"argument (?:\S+/)?(--\S+): expected (?:one|at least one) argument")
REQUIRED = re.compile(r"arguments are required: |one of the arguments .* is required")
SIMILARITY_CUTOFF = 0.7
"""How similar a suggestion must be: --email does not suggest --empid."""


class Parser(ArgumentParser):
    """The parser of one command, or of a group of *commands*."""

    commands: Sequence[str] = ()
    given: Sequence[str] = ()
    """The arguments of the last parse; errors quote them."""

    def parse_known_args(self, args: Iterable[str] | None = None, namespace: Any = None) -> Any:
        """Parse *args*; `job help list` is `job list --help`."""
        self.given = list(args or ())
        if self.commands and self.given[:1] == ["help"]:
            self.given = [*self.given[1:], "--help"]
        return super().parse_known_args(self.given, namespace)

    def error(self, message: str) -> NoReturn:
        """Raise WrongUsage with argparse's message and what to do about it."""
        usage = self.format_usage()
        if message.endswith("are required: COMMAND"):
            usage = self.format_help() + "\n"
            message = f"specify a command: {', '.join(self.commands)}"
        before = f"{usage}{self.prog}: error: "
        raise WrongUsage(self._explain(message), prefix=before)

    def refuse(self, unknown: Sequence[str]) -> NoReturn:
        """Raise WrongUsage for arguments that this command does not have."""
        message = f"unrecognized arguments: {' '.join(unknown)}"
        first, known = unknown[0].partition("=")[0], find_options(self.format_usage())
        if not first.startswith("-"):
            message += "; quote a value that contains spaces"
        elif first in known:
            message += f"; write options after the command: {self.prog} {first}"
        else:
            message += format_suggestion(first, known)
        self.error(message)

    def _explain(self, message: str) -> str:
        if unknown := UNKNOWN_COMMAND.match(message):
            return self._explain_unknown_command(unknown[1])
        if missing := VALUE_MISSING.fullmatch(message):
            return f"{message}; write a value that begins with '-' as {missing[1]}=-value"
        if REQUIRED.search(message) and (unknown_options := self._unknown_options()):
            first = unknown_options[0]
            suggested = format_suggestion(first, find_options(self.format_usage()))
            return f"{message}; unrecognized: {', '.join(unknown_options)}{suggested}"
        return message

    def _explain_unknown_command(self, word: str) -> str:
        known = ", ".join(self.commands)
        # `--target host status`: argparse takes `host` for the command.
        before = self.given[: self.given.index(word)] if word in self.given else []
        if not before:
            suggested = format_suggestion(word, self.commands) or "."
            return f"unknown command {word!r}{suggested} The commands are {known}."
        after = self.given[len(before) + 1 :] or ["COMMAND"]
        line = shlex.join([*self.prog.split(), *after, *before, word])
        return f"unknown command {word!r}; write options after the command: {line}"

    def _unknown_options(self) -> list[str]:
        """List the options among the given arguments that this command does not have."""
        known = find_options(self.format_usage())
        until = self.given.index("--") if "--" in self.given else None
        names = [each.partition("=")[0] for each in self.given[:until]]
        written = [name for name in names if re.match("--?[A-Za-z]", name)]
        return [name for name in written if not any(each.startswith(name) for each in known)]


def find_options(usage: str) -> list[str]:
    return re.findall(r"--[a-z][a-z-]*", usage)


def format_suggestion(written: str, known: Iterable[str]) -> str:
    by_word = {each.lstrip("-"): each for each in known}
    close = get_close_matches(written.lstrip("-"), list(by_word), n=1, cutoff=SIMILARITY_CUTOFF)
    return f". Did you mean {by_word[close[0]]}?" if close else ""


def join_negative_values(arguments: Sequence[str]) -> list[str]:
    """Rewrite `--at -5m` as `--at=-5m`: argparse would take the value for an option."""
    joined: list[str] = []
    for number, each in enumerate(arguments):
        if each == "--":
            return [*joined, *arguments[number:]]
        if joined and NEGATIVE.match(each) and re.fullmatch(r"--[a-z][a-z-]*", joined[-1]):
            joined[-1] += f"={each}"
        else:
            joined.append(each)
    return joined


def has_json_option(arguments: Iterable[str]) -> bool:
    """Return whether *arguments*, which may be unparseable, request JSON."""
    return any(len(each) > len("--") and "--json".startswith(each) for each in arguments)
