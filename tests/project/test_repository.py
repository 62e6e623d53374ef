"""What holds for the repository as a whole."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULES = [file for file in (ROOT / "gcsched").rglob("*.py") if file.parent.name != "pb"]
TESTS = list((ROOT / "tests").rglob("*.py"))

EXCEPTION = re.compile(r"#\s*(noqa|type:\s*ignore|pragma:|mypy:|pyright:)")
WITH_CODE_AND_REASON = re.compile(
    r"# (noqa: [A-Z]+[0-9]+(, [A-Z]+[0-9]+)*|type: ignore\[[a-z-]+(, [a-z-]+)*\]|pragma: no cover)"
    r"(  #| -) \S"
)
# These numbers may only fall.
EXCEPTIONS_ALLOWED = 12
WARNINGS_ALLOWED = 0


def exceptions() -> Iterator[tuple[str, str]]:
    for file in [*MODULES, *TESTS]:
        if file == Path(__file__):
            continue
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
            if EXCEPTION.search(line):
                yield f"{file.relative_to(ROOT)}:{number}", line


def test_each_exception_from_a_rule_names_its_code_and_its_reason() -> None:
    bare = [where for where, line in exceptions() if not WITH_CODE_AND_REASON.search(line)]

    assert bare == [], "write `# noqa: CODE  # reason` or `# type: ignore[code]  # reason`"


def test_exceptions_from_rules_only_become_fewer() -> None:
    assert len(list(exceptions())) <= EXCEPTIONS_ALLOWED


def test_ignored_warnings_only_become_fewer() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    first, *ignored = settings["tool"]["pytest"]["ini_options"]["filterwarnings"]

    assert first == "error"
    assert len(ignored) <= WARNINGS_ALLOWED


@pytest.mark.parametrize("file", MODULES, ids=lambda file: str(file.relative_to(ROOT)))
def test_a_module_says_what_it_is_and_stays_small(file: Path) -> None:
    text = file.read_text(encoding="utf-8")

    assert text == "" or re.match('r?"""\\S', text), "the first line says what it is"
    assert len(text.splitlines()) <= 300


def test_ci_runs_the_test_line_of_the_readme() -> None:
    test_line = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()[-1]

    assert test_line in (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
