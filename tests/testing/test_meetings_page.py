"""The examples of docs/meetings.md, at the fake."""

from gcsched.testing import FakeScheduler
from tests.support.command import run_python
from tests.support.readme_examples import EXAMPLE_TARGET, ROOT

PAGE = (ROOT / "docs" / "meetings.md").read_text(encoding="utf-8")


async def test_the_examples_of_the_page_succeed() -> None:
    first, in_a_test = [part.partition("```")[0] for part in PAGE.split("```python\n")[1:]]

    with FakeScheduler() as fake:
        done = await run_python("-W", "error", "-c", first.replace(EXAMPLE_TARGET, fake.target))
        [request] = fake.scheduled
    tested = await run_python("-W", "error", "-c", in_a_test)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{request.job_id} {request.meeting_id}\n"
    assert (tested.returncode, tested.stderr) == (0, "")
