"""A parser whose errors say what to write. They are raised, so that main can print them as JSON."""

import re
from argparse import ArgumentParser
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import NoReturn

from gcsched.cli.failure import WrongUsage

NEGATIVE = re.compile(r"-[0-9]")
UNKNOWN_COMMAND = re.compile(r"argument COMMAND: invalid choice: '(.*?)' \(choose from ")
VALUE_MISSING = re.compile(r"argument (?:\S+/)?(--\S+): expected (?:one|at least one) argument")


class Parser(ArgumentParser):
    """One command or a group of *commands*."""

    commands: Sequence[str] = ()

    def error(self, message: str) -> NoReturn:
        """Raise WrongUsage with what argparse says and what to do about it."""
        usage = self.format_usage()
        if message.endswith("are required: COMMAND"):
            usage = self.format_help() + "\n"
            message = f"say which command: {', '.join(self.commands)}"
        before = f"{usage}{self.prog}: error: "
        raise WrongUsage(self._explained(message), before=before)

    def refuse(self, unknown: Sequence[str]) -> NoReturn:
        """Raise WrongUsage for arguments that this command does not have."""
        message = f"unrecognized arguments: {' '.join(unknown)}"
        first, known = unknown[0].partition("=")[0], options_in(self.format_usage())
        if not first.startswith("-"):
            message += "; put a value with spaces into quotes"
        elif first in known:
            message += f"; write options after the command: {self.prog} {first}"
        else:
            message += did_you_mean(first, known)
        self.error(message)

    def _explained(self, message: str) -> str:
        if unknown := UNKNOWN_COMMAND.match(message):
            suggested = did_you_mean(unknown[1], self.commands)
            known = ", ".join(self.commands)
            return f"there is no command {unknown[1]!r}{suggested} The commands are {known}."
        if missing := VALUE_MISSING.fullmatch(message):
            return f"{message}; write a value that begins with '-' as {missing[1]}=-value"
        return message


def options_in(usage: str) -> list[str]:
    return re.findall(r"--[a-z][a-z-]*", usage)


def did_you_mean(written: str, known: Iterable[str]) -> str:
    close = get_close_matches(written, list(known), n=1)
    return f". Did you mean {close[0]}?" if close else "."


def spelled_out(arguments: Sequence[str]) -> list[str]:
    """Return what argparse reads: `job --help` for `help job`, and `--at=-5m` for `--at -5m`."""
    if arguments[:1] == ["help"]:
        return [*arguments[1:], "--help"]
    return joined(arguments)


def joined(arguments: Sequence[str]) -> list[str]:
    """Join options with values such as ``-5m``, which argparse would take for options."""
    done: list[str] = []
    for number, each in enumerate(arguments):
        if each == "--":
            return [*done, *arguments[number:]]
        if done and NEGATIVE.match(each) and re.fullmatch(r"--[a-z][a-z-]*", done[-1]):
            done[-1] += f"={each}"
        else:
            done.append(each)
    return done


def wants_json(arguments: Iterable[str]) -> bool:
    """Return whether *arguments* ask for JSON, where they could not be parsed."""
    return any(len(each) > len("--") and "--json".startswith(each) for each in arguments)
