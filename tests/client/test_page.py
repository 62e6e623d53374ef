"""The examples in the section Python of docs/clients.md do what it says, in their order."""

import inspect
import re

from gcsched.client import Client
from tests.support.command import run_python
from tests.support.in_process_app import RunningApp
from tests.support.readme_examples import CLIENTS_PAGE, EXAMPLE_TARGET, ROOT

PAGE = (ROOT / "docs" / "clients.md").read_text(encoding="utf-8")


async def test_the_examples_of_the_page_succeed_in_their_order(app: RunningApp) -> None:
    outputs = []
    for block in CLIENTS_PAGE:
        assert EXAMPLE_TARGET in block
        done = await run_python("-W", "error", "-c", block.replace(EXAMPLE_TARGET, app.target))
        assert (done.returncode, done.stderr) == (0, "")
        outputs.append(done.stdout)

    scheduling, listing, meeting = outputs
    assert re.fullmatch(r"True\nE1817 emailID: must be .+\n", scheduling)
    assert re.fullmatch(r"E1816 20\d\d-.+\+00:00\n1\n", listing)
    assert meeting == (
        "ada@example.org MAKES INVITATION\n"
        "grace@example.org MAKES INVITATION\n"
        "2030-01-05T10:30 2030-01-05 09:30:00+00:00\n"
        "CANCELLED\n"
    )


def test_the_table_has_each_method_once() -> None:
    table = PAGE.partition("| methods | for |\n|---|---|\n")[2].partition("\n\n")[0]
    cells = [line.split("|")[1] for line in table.splitlines()]
    named = [name for each in cells for name in re.findall(r"`(\w+)`", each)]

    public = {name for name, _ in inspect.getmembers(Client, inspect.isfunction) if name[0] != "_"}
    assert sorted(named) == sorted(public - {"close"})
