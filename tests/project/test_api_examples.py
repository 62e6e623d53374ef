"""The examples of docs/api.md do what it says, one after the other, on one served application."""

import re

from tests.generate.api_reference import PAGE
from tests.support.command import run_python, run_shell_with_forks
from tests.support.in_process_app import RunningApp

EXAMPLE_TARGET = "localhost:50051"
TEXT = PAGE.read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)


async def test_the_shell_examples_succeed_in_their_order(app: RunningApp) -> None:
    done = await run_shell_with_forks("\n".join(blocks("sh")), GCSCHED_TARGET=app.target)

    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert re.search(r"^state +CANCELLED$", done.stdout, re.MULTILINE)
    assert "cancelled 1 job\n" in done.stdout
    assert "sending     PAUSED by " in done.stdout


async def test_the_python_examples_succeed_in_their_order(app: RunningApp) -> None:
    outputs = []
    for block in blocks("python"):
        assert EXAMPLE_TARGET in block
        done = await run_python("-c", block.replace(EXAMPLE_TARGET, app.target))
        assert done.returncode == 0, done.stderr
        outputs.append(done.stdout)

    cancel, listing, batch = outputs
    assert cancel == ""
    assert re.fullmatch(r"\S+ CANCELLED\n", listing)
    assert re.fullmatch(r"E1 accepted as \S+\nE2 accepted as \S+\nE3 refused: .+\n", batch)
