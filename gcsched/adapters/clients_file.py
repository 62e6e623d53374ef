"""Read the file of clients: its rights, its size, its TOML, and the clients in it."""

import asyncio
import os
import re
import stat
import time
import tomllib
from pathlib import Path

from gcsched.domain.client_document import InvalidClients, read_registry
from gcsched.domain.client_registry import ClientRegistry
from gcsched.domain.toml_lines import find_lines, line_of
from gcsched.errors import SettingsProblems

MAX_OCTETS = 1024 * 1024
WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH
# An editor may write a file in parts: it is read again until it stays the same.
SETTLE_SECONDS, MAX_SETTLE_READS = 0.05, 5
POSITION = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")


class ClientsFile:
    """The file at *path*, compared by its content: times tell little behind swapped links."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._octets: bytes | None = None
        self._outcome: ClientRegistry | list[str] = []

    def load(self, *, settles: bool = False) -> ClientRegistry:
        """Return the clients in the file. Raises SettingsProblems with all that is wrong.

        With *settles* a file that has changed is read again until it stays the same for a moment.
        """
        octets = read_octets(self.path)
        if octets != self._octets:
            octets = self._wait_until_settled(octets) if settles else octets
            self._outcome = parse_or_problems(self.path, octets)
            self._octets = octets
        if isinstance(self._outcome, list):
            raise SettingsProblems(self._outcome)
        return self._outcome

    async def read(self) -> ClientRegistry:
        """Return the clients in the file, the same object while its content is the same.

        It works in a thread: a large file takes a second to parse, and a network may hang.
        """
        return await asyncio.to_thread(self.load, settles=True)

    def _wait_until_settled(self, octets: bytes) -> bytes:
        for _ in range(MAX_SETTLE_READS):
            time.sleep(SETTLE_SECONDS)
            before, octets = octets, read_octets(self.path)
            if octets == before:
                break
        return octets


def read_octets(path: Path) -> bytes:
    """Return the content of the file. Raises SettingsProblems, also if others may write it."""
    try:
        # Not blocking: opening a named pipe would wait for its writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            if problem := find_file_problem(os.fstat(descriptor)):
                raise SettingsProblems([f"{path} {problem}"])
            octets = file.read(MAX_OCTETS + 1)
    except OSError as error:
        raise SettingsProblems([f"{path} cannot be read: {error.strerror}"]) from error
    if len(octets) > MAX_OCTETS:
        raise SettingsProblems([f"{path} has more than {MAX_OCTETS:,} bytes: split the clients"])
    return octets


def find_file_problem(found: os.stat_result) -> str | None:
    """Return why the file cannot be trusted; None if it can."""
    if not stat.S_ISREG(found.st_mode):
        return "is not a regular file: name a TOML file"
    if found.st_mode & WRITABLE_BY_OTHERS:
        mode = stat.filemode(found.st_mode)
        return f"may be written by others ({mode}), who could add clients: run `chmod go-w` on it"
    return None


def parse_clients(path: Path, octets: bytes) -> ClientRegistry:
    """Return the clients in *octets*. Raises SettingsProblems: a sentence with a line for each."""
    found = parse_or_problems(path, octets)
    if isinstance(found, list):
        raise SettingsProblems(found)
    return found


def parse_or_problems(path: Path, octets: bytes) -> ClientRegistry | list[str]:
    text = ""
    try:
        text = octets.decode()
        return read_registry(tomllib.loads(text))
    except UnicodeDecodeError as error:
        line = octets[: error.start].count(b"\n") + 1
        return [f"{path}, line {line}: it is not UTF-8 text: write it in UTF-8"]
    except InvalidClients as error:
        lines = find_lines(text)
        found = sorted((line_of(lines, each.path), each.text) for each in error.problems)
        return [f"{path}, line {line}: {problem}" for line, problem in found]
    except (ValueError, RecursionError) as error:  # tomllib raises both for hostile numbers
        return [describe_syntax_error(path, text, str(error))]


def describe_syntax_error(path: Path, text: str, error: str) -> str:
    position = POSITION.search(error)
    line = int(position[1]) if position and position[1] else text.rstrip("\n").count("\n") + 1
    return f"{path}, line {line}: it is not valid TOML: {POSITION.sub('', error)}"
