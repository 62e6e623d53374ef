"""The examples of docs/meetings.md, at the fake."""

from gcsched.testing import FakeScheduler
from tests.support.command import run_python
from tests.support.readme_examples import EXAMPLE_TARGET, ROOT

PAGE = (ROOT / "docs" / "meetings.md").read_text(encoding="utf-8")


async def test_the_examples_of_the_page_succeed() -> None:
    parts = [part.partition("```")[0] for part in PAGE.split("```python\n")[1:]]
    first, changing, in_a_test = parts

    with FakeScheduler() as fake:
        done = await run_python("-W", "error", "-c", first.replace(EXAMPLE_TARGET, fake.target))
        [request] = fake.scheduled
    with FakeScheduler() as fake:
        changed = await run_python(
            "-W", "error", "-c", changing.replace(EXAMPLE_TARGET, fake.target)
        )
        [meeting] = fake.meetings
    tested = await run_python("-W", "error", "-c", in_a_test)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{request.job_id} {request.meeting_id}\n"
    assert (changed.returncode, changed.stderr) == (0, "")
    assert (meeting.state, meeting.start) == ("CANCELLED", "2030-01-05T10:00")
    assert (tested.returncode, tested.stderr) == (0, "")
