"""The demo's own words; that it works end to end is tested with `dev`."""

from datetime import timedelta

from gcsched.dev.demo import Demo, describe_end, make_invitations
from gcsched.domain.job import Job
from tests.support.builders import NOW, a_claimed_job, an_attempt
from tests.support.ports import free_port


async def nothing(_: str) -> Job | None:
    return None


async def none_queued() -> int:
    return 0


async def test_a_service_that_does_not_answer_breaks_it_off_in_a_sentence() -> None:
    said: list[str] = []

    await Demo(print_lines=lambda *lines: said.extend(lines), now=lambda: NOW).run(
        f"127.0.0.1:{free_port()}", nothing, none_queued
    )

    assert said[0] == "demo: three invitations"
    assert said[-1].startswith("demo broken off (")
    assert said[-1].endswith("; the service goes on until Ctrl-C")


def test_another_second_asks_for_other_jobs() -> None:
    def keys(number: int) -> set[str]:
        acts = make_invitations(NOW + timedelta(seconds=number))
        return {f"{act.request.empid} {act.request.message}" for act in acts}

    assert len(keys(0) | keys(1)) == 6


def test_one_is_due_now_one_in_three_seconds_one_with_the_daily_run() -> None:
    now = int(NOW.timestamp())

    assert [act.request.timestamp for act in make_invitations(NOW)] == [now, now + 3, 0]


def test_only_the_mails_it_asked_for_are_remembered() -> None:
    demo = Demo(print_lines=lambda *_: None, now=lambda: NOW, texts={"Interview": ""})

    demo.record_mail("Somebody else's", "text")
    demo.record_mail("Interview", "Hello Ada")

    assert demo.texts == {"Interview": "Hello Ada"}


def test_each_end_of_a_job_is_a_few_words() -> None:
    failed = a_claimed_job().failed(an_attempt(), reason="550 at RCPT: no")

    assert describe_end(a_claimed_job().sent(an_attempt()), 0.123) == "sent after 0.1 s"
    assert describe_end(failed, 2.0) == "failed after 2.0 s: 550 at RCPT: no"
