"""The examples in the docstrings of the clients, as tests of doctest.

    python docstring_examples.py

Runs them with the service that GCSCHED_TARGET names, and prints what differs. A program of its own,
because doctest compares all that the process prints.
"""

import asyncio
import doctest
import inspect
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from gcsched import client
from gcsched.client import AsyncClient, Client


def list_methods() -> Iterator[Any]:
    """Yield the methods of Client in an order in which each finds what those before made."""
    for kind in Client.__mro__:
        yield from (
            each
            for name, each in vars(kind).items()
            if inspect.isfunction(each) and not name.startswith("_")
        )


def find_examples() -> Iterator[doctest.DocTest]:
    finder = doctest.DocTestFinder(recurse=False)
    names = {name: getattr(client, name) for name in client.__all__}
    globs = {**names, "UTC": UTC, "asyncio": asyncio, "datetime": datetime, "timedelta": timedelta}
    for each in (Client, AsyncClient, *list_methods()):
        yield from finder.find(each, globs=globs)


def run_examples() -> None:
    runner = doctest.DocTestRunner()
    with Client() as gcsched:
        for test in find_examples():
            test.globs["gcsched"] = gcsched
            runner.run(test)


if __name__ == "__main__":
    run_examples()
