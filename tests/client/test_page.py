"""The examples in the section Python of docs/clients.md do what it says, in their order."""

import re

from tests.support.command import run_python
from tests.support.in_process_app import RunningApp
from tests.support.readme_examples import CLIENTS_PAGE, EXAMPLE_TARGET


async def test_the_examples_of_the_page_succeed_in_their_order(app: RunningApp) -> None:
    outputs = []
    for block in CLIENTS_PAGE:
        assert EXAMPLE_TARGET in block
        done = await run_python("-W", "error", "-c", block.replace(EXAMPLE_TARGET, app.target))
        assert (done.returncode, done.stderr) == (0, "")
        outputs.append(done.stdout)

    scheduling, listing = outputs
    assert re.fullmatch(r"True\nE1817 emailID: must be .+\n", scheduling)
    assert re.fullmatch(r"E1816 20\d\d-.+\+00:00\n1\n", listing)
