"""The demo's own words; that it works end to end is tested with `dev`."""

from datetime import timedelta

from gcsched.dev.demo import Demo, ending, invitations
from gcsched.domain.job import Job
from tests.support.builders import NOW, a_claimed_job, an_attempt
from tests.support.ports import free_port


async def nothing(_: str) -> Job | None:
    return None


async def none_queued() -> int:
    return 0


async def test_a_service_that_does_not_answer_breaks_it_off_in_a_sentence() -> None:
    said: list[str] = []

    await Demo(say=lambda *lines: said.extend(lines), now=lambda: NOW).play(
        f"127.0.0.1:{free_port()}", nothing, none_queued
    )

    assert said[0] == "demo: three invitations"
    assert said[-1].startswith("demo broken off (")
    assert said[-1].endswith("; the service goes on until Ctrl-C")


def test_another_second_asks_for_other_jobs() -> None:
    def keys(number: int) -> set[str]:
        acts = invitations(NOW + timedelta(seconds=number))
        return {f"{act.request.empid} {act.request.message}" for act in acts}

    assert len(keys(0) | keys(1)) == 6


def test_one_is_due_now_one_in_three_seconds_one_with_the_daily_run() -> None:
    now = int(NOW.timestamp())

    assert [act.request.timestamp for act in invitations(NOW)] == [now, now + 3, 0]


def test_only_the_mails_it_asked_for_are_remembered() -> None:
    demo = Demo(say=lambda *_: None, now=lambda: NOW, texts={"Interview": ""})

    demo.hear("Somebody else's", "text")
    demo.hear("Interview", "Hello Ada")

    assert demo.texts == {"Interview": "Hello Ada"}


def test_each_end_of_a_job_is_a_few_words() -> None:
    failed = a_claimed_job().failed(an_attempt(), reason="550 at RCPT: no")

    assert ending(a_claimed_job().sent(an_attempt()), 0.123) == "sent after 0.1 s"
    assert ending(failed, 2.0) == "failed after 2.0 s: 550 at RCPT: no"
