"""The examples in the docstrings of the clients do what they say, on a served application."""

from pathlib import Path

import pytest

from tests.support import docstring_examples
from tests.support.command import run_python
from tests.support.docstring_examples import find_examples, list_methods
from tests.support.in_process_app import RunningApp

WITHOUT_EXAMPLE = {"close", "schedule_meet"}


@pytest.fixture
def app_settings() -> dict[str, str]:
    return {"test_recipients": "example.org"}


async def test_each_example_does_what_it_says(app: RunningApp) -> None:
    script = str(Path(docstring_examples.__file__))

    done = await run_python(script, GCSCHED_TARGET=app.target)

    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)


def test_each_method_has_an_example() -> None:
    shown = {test.name for test in find_examples() if test.examples}

    assert {each.__name__ for each in list_methods()} - shown == WITHOUT_EXAMPLE
