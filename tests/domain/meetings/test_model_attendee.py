"""Model attendees: whatever happens, at rest their calendars show the meeting, or what is excused.

Their calendars file mails by rules of their own, in four variants (tests/support/meetings). Each
history has random calls, deliveries, refusals, lost replies, slow and killed processes. The same
for many more histories: `python -m tests.measure.model_attendee`.
"""

from collections import Counter

import pytest

from gcsched.domain.meeting_mail import Purpose
from tests.support.meetings.history import History
from tests.support.meetings.promises import find_broken
from tests.support.meetings.sabotage import sabotaged

EACH = 30


def run(seed: int) -> tuple[History, list[str]]:
    history = History(seed)
    history.run()
    return history, find_broken(history)


@pytest.mark.parametrize("first", range(0, 8 * EACH, EACH))
def test_the_promises_hold_in_every_history(first: int) -> None:
    found = {seed: run(seed)[1] for seed in range(first, first + EACH)}

    assert {seed: broken for seed, broken in found.items() if broken} == {}


def test_histories_have_all_that_can_happen() -> None:
    seen = Counter[str]()
    for seed in range(EACH):
        history, _ = run(seed)
        jobs = [*history.world.jobs.values(), *history.world.deleted.values()]
        seen.update(job.meeting.purpose.value for job in jobs if job.meeting)
        seen.update(job.state.value for job in jobs)
        seen.update({"killed": history.kills, "calls": history.world.commits})
        seen.update({"raised": history.world.meeting.revision.sequence})

    ended = {"SENT", "FAILED", "CANCELLED", "EXPIRED", "SUPPRESSED", "UNCERTAIN"}
    assert {*Purpose, *ended, "killed", "calls", "raised"} <= (+seen).keys()


@pytest.mark.parametrize(
    "name",
    [
        "waiting mails are not changed",
        "SEQUENCE is not raised for mails in flight",
        "mails that may have left are changed",
    ],
)
def test_the_model_notices_a_rule_that_is_missing(name: str) -> None:
    with sabotaged(name):
        assert any(is_broken(seed) for seed in range(600))


def is_broken(seed: int) -> bool:
    try:
        return bool(run(seed)[1])
    except AssertionError:  # such as a plan that is never settled
        return True
