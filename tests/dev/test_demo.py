"""The lines that the demo prints; the tests of `dev` run it end to end."""

from datetime import UTC, datetime, timedelta

import pytest

from gcsched.dev.demo import Demo, describe_end, make_invitations
from gcsched.domain.job import Job
from tests.support.builders import NOW, a_claimed_job, an_attempt
from tests.support.ports import free_port


async def find_no_job(_: str) -> Job | None:
    return None


async def run_empty_queue() -> int:
    return 0


async def test_a_service_that_does_not_answer_ends_the_demo_with_a_sentence() -> None:
    printed: list[str] = []

    await Demo(print_lines=lambda *lines: printed.extend(lines), now=lambda: NOW).run(
        f"127.0.0.1:{free_port()}", find_no_job, run_empty_queue
    )

    assert printed[0] == "demo: three invitations, and a meeting that moves and is cancelled"
    assert printed[-1].startswith("demo failed (")
    assert printed[-1].endswith("; the service goes on until Ctrl-C")


def test_another_second_schedules_other_jobs() -> None:
    def keys(number: int) -> set[str]:
        invitations = make_invitations(NOW + timedelta(seconds=number))
        return {f"{each.request.empid} {each.request.message}" for each in invitations}

    assert len(keys(0) | keys(1)) == 6


def test_one_is_due_now_one_in_three_seconds_one_with_the_daily_run() -> None:
    now = int(NOW.timestamp())

    assert [each.request.timestamp for each in make_invitations(NOW)] == [now, now + 3, 0]


def test_only_the_mails_of_the_demo_are_kept() -> None:
    demo = Demo(print_lines=lambda *_: None, now=lambda: NOW, texts={"Interview": ""})

    demo.record_mail("Another mail", "text")
    demo.record_mail("Interview", "Hello Ada")

    assert demo.texts == {"Interview": "Hello Ada"}


def test_each_final_state_is_described_in_a_few_words() -> None:
    failed = a_claimed_job().failed(an_attempt(), reason="550 at RCPT: no")

    assert describe_end(a_claimed_job().sent(an_attempt()), 0.123) == "sent after 0.1 s"
    assert describe_end(failed, 2.0) == "failed after 2.0 s: 550 at RCPT: no"


@pytest.mark.parametrize("days", range(7))
def test_the_first_mail_is_an_invitation_to_the_next_friday(days: int) -> None:
    now = NOW + timedelta(days=days)

    first, *others = make_invitations(now)

    event = first.request.event
    start = datetime.fromisoformat(event.start).replace(tzinfo=UTC)
    assert start.strftime("%A") == "Friday"
    assert timedelta(0) < start - now < timedelta(days=8)
    assert (event.time_zone, event.location, event.url) > ("", "", "")
    assert not any(each.request.HasField("event") for each in others)
