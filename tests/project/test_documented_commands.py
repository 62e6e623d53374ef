"""Each `gcsched …` that the README or a page of docs/ shows is a command that there is."""

import re
import shlex
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from gcsched.cli.failure import WrongUsage
from gcsched.cli.main import COMMANDS, parse_arguments

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(sh|console)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
IN_A_LINE = re.compile(r".*(?<![\w-])gcsched (?=[a-z-])(.*)")
IN_PROSE = re.compile(r"`gcsched ([^`]+)`")
REST_OF_A_PIPE = re.compile(r"\s*(\\?\||&&).*|\s>.*")  # not the end of <ada@example.org>
ANY_COMMAND = {"COMMAND"}


def commands_on(page: Path) -> Iterator[str]:
    """Yield what stands behind `gcsched` in shell examples and in prose."""
    text = page.read_text(encoding="utf-8")
    for language, block in BLOCK.findall(text):
        for line in block.replace("\\\n", " ").splitlines():
            is_typed = language == "sh" or line.startswith("$ ")
            if is_typed and (found := IN_A_LINE.match(line)):
                yield REST_OF_A_PIPE.sub("", found[1])
    for found in IN_PROSE.finditer(text):
        yield REST_OF_A_PIPE.sub("", found[1].replace("\n", " "))


def check_command(line: str) -> None:
    """Parse *line*; of one that only names a command, ask for its help."""
    words = shlex.split(line, comments=True)
    is_name = all(re.fullmatch("[a-z]+|…", each) for each in words)
    arguments = [*(each for each in words if each != "…"), "--help"] if is_name else words
    with suppress(SystemExit):  # that is how argparse ends a help
        parse_arguments(arguments, COMMANDS)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_each_command_on_a_page_is_one(page: Path) -> None:
    for line in commands_on(page):
        if ANY_COMMAND.isdisjoint(line.split()):
            check_command(line)


def test_commands_are_found_and_one_that_is_not_there_is_wrong() -> None:
    found = {line for page in PAGES for line in commands_on(page)}

    assert len(found) > 50
    assert {"dev --demo", "job show ID", "job list"} < found
    for wrong in ("job get ID", "job get", "jobs retry --status failed", "helth"):
        with pytest.raises(WrongUsage):
            check_command(wrong)
