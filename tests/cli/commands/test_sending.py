import getpass
import json
import socket
from datetime import UTC, datetime

import pytest

from gcsched.pb import task_pb2
from tests.support.command import run_command
from tests.support.fake_scheduler import fake_scheduler
from tests.support.terminal import run_on_terminal

SINCE = datetime(2026, 1, 5, 9, tzinfo=UTC)
PAUSE = task_pb2.Pause(by="ada@desk", reason="the relay moves", start_time=SINCE)


MOVED = task_pb2.RunDailyQueueResponse(count=1200)
QUEUED = task_pb2.CountJobsRequest(filter=task_pb2.JobFilter(state=task_pb2.Job.QUEUED))
WAITING = task_pb2.CountJobsResponse(count=1200)
RUN = task_pb2.RunDailyQueueRequest()


async def test_the_daily_queue_is_sent_with_yes_and_how_much_is_told() -> None:
    async with fake_scheduler(RunDailyQueue=MOVED) as service:
        done = await run_command("daily", "run", "--yes", "--target", service.target)

    assert (done.code, done.out) == (0, "1,200 jobs became due\n")
    assert service.requests == [RUN]


async def test_a_daily_queue_that_waits_for_the_end_of_a_pause_is_told() -> None:
    paused = task_pb2.StatusReport(pause=PAUSE)
    async with fake_scheduler(RunDailyQueue=MOVED, GetStatus=paused) as service:
        done = await run_command("daily", "run", "--yes", "--target", service.target)

    assert done.out.startswith('1,200 jobs became due; but sending is paused by "ada@desk" since')
    assert done.out.endswith('("the relay moves"): mails wait until `gcsched resume`\n')


@pytest.mark.parametrize(
    ("answer", "code", "said", "calls"),
    [
        ("y\n", 0, "1,200 jobs became due\n", [QUEUED, RUN]),
        ("n\n", 1, "nothing was changed\n", [QUEUED]),
    ],
)
async def test_a_person_is_asked_before_the_daily_queue_is_sent(
    answer: str, code: int, said: str, calls: list[object]
) -> None:
    async with fake_scheduler(RunDailyQueue=MOVED, CountJobs=WAITING) as service:
        ended, shown = await run_on_terminal(
            ["daily", "run", "--target", service.target], input_text=answer
        )

    assert "Send 1,200 jobs of the daily queue now? [y/N] " in shown
    assert (ended, service.requests) == (code, calls)
    assert shown.endswith(said)


async def test_an_empty_daily_queue_is_no_question_and_nothing_is_run() -> None:
    empty = task_pb2.CountJobsResponse()
    async with fake_scheduler(RunDailyQueue=MOVED, CountJobs=empty) as service:
        ended, shown = await run_on_terminal(["daily", "run", "--target", service.target])

    assert (ended, shown) == (0, "0 jobs became due\n")
    assert service.requests == [QUEUED], "nobody said yes to what came meanwhile"


async def test_without_a_terminal_the_daily_queue_is_sent_with_yes_only() -> None:
    async with fake_scheduler(RunDailyQueue=MOVED, CountJobs=WAITING) as service:
        done = await run_command("daily", "run", "--target", service.target)

    assert (done.code, done.out, service.requests) == (2, "", [])
    assert "--yes" in done.err


@pytest.mark.parametrize(
    ("counted", "words"),
    [
        (WAITING, "1,200 jobs would become due\n"),
        (
            task_pb2.CountJobsResponse(count=10_000, has_more=True),
            "more than 10,000 jobs would become due\n",
        ),
    ],
)
async def test_a_dry_run_of_the_daily_queue_only_counts(
    counted: task_pb2.CountJobsResponse, words: str
) -> None:
    async with fake_scheduler(RunDailyQueue=MOVED, CountJobs=counted) as service:
        done = await run_command("daily", "run", "--dry-run", "--target", service.target)

    assert (done.code, done.out) == (0, words)
    assert service.requests == [QUEUED]


async def test_a_pause_says_who_and_why() -> None:
    async with fake_scheduler(PauseSending=PAUSE) as service:
        done = await run_command(
            *("pause", "--reason=the relay moves", "--by=ada@desk", "--target", service.target)
        )

    assert service.requests == [
        task_pb2.PauseSendingRequest(by="ada@desk", reason="the relay moves")
    ]
    assert done.out.splitlines() == [
        "sending is paused",
        "",
        "by      ada@desk",
        "reason  the relay moves",
        f"since   {SINCE.astimezone().isoformat()}",
    ]


async def test_who_pauses_is_the_user_of_this_machine_unless_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(getpass, "getuser", lambda: "ada")
    monkeypatch.setattr(socket, "gethostname", lambda: "desk")
    async with fake_scheduler(PauseSending=PAUSE) as service:
        await run_command("pause", "--reason=x", "--target", service.target)

    assert service.requests == [task_pb2.PauseSendingRequest(by="ada@desk", reason="x")]


async def test_a_user_without_a_name_can_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    def nameless() -> str:
        raise KeyError(1000)

    monkeypatch.setattr(getpass, "getuser", nameless)
    monkeypatch.setattr(socket, "gethostname", lambda: "pod")
    async with fake_scheduler(PauseSending=PAUSE) as service:
        await run_command("pause", "--reason=x", "--target", service.target)

    assert service.requests == [task_pb2.PauseSendingRequest(by="unknown@pod", reason="x")]


async def test_resuming_shows_the_pause_that_ended_or_says_that_there_was_none() -> None:
    answers = [task_pb2.ResumeSendingResponse(pause=PAUSE), task_pb2.ResumeSendingResponse()]
    async with fake_scheduler(ResumeSending=answers) as service:
        ended = await run_command("resume", "--by=ada", "--target", service.target)
        nothing = await run_command("resume", "--by=ada", "--target", service.target)

    assert ended.out.startswith("sending again after\n\nby      ada@desk\n")
    assert (nothing.code, nothing.out) == (0, "nothing was paused\n")
    assert service.requests == [task_pb2.ResumeSendingRequest(by="ada")] * 2


async def test_json_is_the_answer() -> None:
    async with fake_scheduler(PauseSending=PAUSE) as service:
        done = await run_command("pause", "--reason=x", "--json", "--target", service.target)

    wanted = {"by": "ada@desk", "reason": "the relay moves", "since": "2026-01-05T09:00:00Z"}
    assert json.loads(done.out) == wanted


async def test_a_pause_without_a_reason_is_wrong_usage() -> None:
    done = await run_command("pause")

    assert done.code == 2
    assert "--reason" in done.err
