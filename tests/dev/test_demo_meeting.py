"""The meeting of the demo, at the fake of gcsched.testing."""

from datetime import datetime, timedelta

import pytest

from gcsched.dev.demo_meeting import MeetingDemo, build_creation
from gcsched.testing import FakeScheduler
from tests.support.builders import NOW
from tests.support.service_process import scheduler_stub


class Ticking:
    """A clock that is two seconds further whenever it is read, if it ticks at all."""

    def __init__(self, *, ticks: bool) -> None:
        self.now, self.step = NOW, timedelta(seconds=2 * ticks)

    def __call__(self) -> datetime:
        self.now += self.step
        return self.now


async def run_demo(*, ticks: bool) -> tuple[list[str], FakeScheduler]:
    printed: list[str] = []
    with FakeScheduler(now=Ticking(ticks=ticks)) as fake:
        async with scheduler_stub(fake.target) as stub:
            demo = MeetingDemo(
                stub=stub, print_lines=lambda *lines: printed.extend(lines), now=lambda: NOW
            )
            await demo.run()
        return [each.removeprefix("  one meeting    ") for each in printed], fake


async def test_a_meeting_is_created_moved_and_cancelled_once_each_mail_has_left() -> None:
    printed, fake = await run_demo(ticks=True)

    [meeting] = fake.meetings
    created, *others = printed
    assert created.startswith(f"created as {meeting.meeting_id}, 2026-07-08T09:00 to 10:00, Europe")
    assert others == [
        "moved to 2026-07-08T11:00 to 12:00, Europe/London",
        "cancelled",
        "three mails about one entry in the calendar",
    ]
    assert (meeting.state, meeting.sequence) == ("CANCELLED", 2)
    assert [(each.told, each.told_sequence) for each in meeting.attendees] == [("SURE", 2)]


async def test_a_mail_that_does_not_come_ends_the_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gcsched.dev.demo_meeting.MAX_WAIT_SECONDS", 0.3)

    printed, fake = await run_demo(ticks=False)  # the update waits for further changes

    assert printed[-1] == "no mail after 0 s; see `gcsched meeting show`"
    assert fake.meetings[0].state == "SCHEDULED"


def test_another_second_is_another_meeting() -> None:
    first, second = (
        build_creation(NOW + timedelta(seconds=number), "2026-07-08") for number in range(2)
    )

    assert first.request_id != second.request_id
    assert first.meeting.summary != second.meeting.summary
