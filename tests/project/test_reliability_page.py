"""Check that docs/reliability.md names tests, modules, log events and links that exist."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "reliability.md"
TEXT = PAGE.read_text(encoding="utf-8")
SOURCE = "\n".join(
    path.read_text(encoding="utf-8") for path in sorted((ROOT / "gcsched").rglob("*.py"))
)
CODE = re.findall(r"`([^`\n]+)`", TEXT)
FILES = sorted(set(re.findall(r"\btests/[\w/]+\.py\b", TEXT)))
SELECTIONS = sorted({code for code in CODE if code.startswith("pytest ") and " -k " in code})
MODULES = sorted(set(re.findall(r"python -m (tests\.[\w.]+)", TEXT)))
SIGNS = [
    cells[-1]
    for row in re.findall(r"^\| (.*) \|$", TEXT, re.MULTILINE)
    if len(cells := row.split(" | ")) == 6
][1:]
EVENT = re.compile(r"[a-z][A-Za-z',\- ]* [A-Za-z',\- ]+")
NOT_LOGGED = ("gcsched", "http", "ready")


def names_of_tests(path: Path) -> list[str]:
    """Return the names of the tests in the file *path*."""
    return re.findall(r"^(?:async )?def (test_\w+)\(", path.read_text("utf-8"), re.MULTILINE)


def log_events() -> Iterator[str]:
    """Yield the log events that the table of failures names: words, no metrics or settings."""
    for code in re.findall(r"`([^`]+)`", "\n".join(SIGNS)):
        if EVENT.fullmatch(code) and not code.startswith(NOT_LOGGED):
            yield code


@pytest.mark.parametrize("file", FILES)
def test_a_file_exists(file: str) -> None:
    assert (ROOT / file).is_file()


@pytest.mark.parametrize("command", SELECTIONS)
def test_a_selection_finds_tests(command: str) -> None:
    files, _, expression = command.removeprefix("pytest ").partition(" -k ")
    alternatives = expression.strip('"').split(" or ")
    names = [name for file in files.split() for name in names_of_tests(ROOT / file)]

    for each in alternatives:
        assert [name for name in names if each in name], f"{command}: no test matches {each}"


@pytest.mark.parametrize("module", MODULES)
def test_a_module_can_be_run(module: str) -> None:
    path = ROOT.joinpath(*module.split("."))

    assert path.with_suffix(".py").is_file() or (path / "__main__.py").is_file()


def test_a_test_that_is_named_exists() -> None:
    named = {code for code in CODE if re.fullmatch(r"test_\w+", code)}
    names = {name for path in (ROOT / "tests").rglob("test_*.py") for name in names_of_tests(path)}

    assert named
    assert named <= names


@pytest.mark.parametrize("event", sorted(set(log_events())))
def test_a_log_event_is_logged(event: str) -> None:
    assert event in SOURCE


def test_every_link_leads_somewhere() -> None:
    headings = re.findall(r"^#+ (.+)$", TEXT, re.MULTILINE)
    anchors = {re.sub(r"[^a-z0-9 _-]", "", each.lower()).replace(" ", "-") for each in headings}
    links = re.findall(r"\]\(([^)\s]+)\)", TEXT)

    assert {link.removeprefix("#") for link in links if link.startswith("#")} <= anchors
    for link in links:
        if not link.startswith(("#", "https://")):
            assert (PAGE.parent / link).exists(), link


def test_every_measurement_that_is_named_is_kept() -> None:
    named = set(re.findall(r"^\|.* \| (\w+\.json)(?:, `[^`]+`)? \|$", TEXT, re.MULTILINE))

    assert named
    assert [name for name in named if not (ROOT / "docs" / "measurements" / name).is_file()] == []


def test_the_tables_are_rectangular() -> None:
    for table in re.findall(r"(?:^\|.*\|\n)+", TEXT, re.MULTILINE):
        widths = {len(re.split(r"(?<!\\)\|", row)) for row in table.splitlines()}
        assert len(widths) == 1, table.splitlines()[0]
