import getpass
import json
import socket
from datetime import UTC, datetime

import pytest

from gcsched.pb import task_pb2
from tests.support.command import run_command
from tests.support.fake_scheduler import fake_scheduler
from tests.support.terminal import run_on_terminal

START = datetime(2026, 1, 5, 9, tzinfo=UTC)
PAUSE = task_pb2.Pause(by="ada@desk", reason="the relay moves", start_time=START)


MADE_DUE = task_pb2.RunDailyQueueResponse(count=1200)
QUEUED = task_pb2.CountJobsRequest(filter=task_pb2.JobFilter(state=task_pb2.Job.QUEUED))
WAITING = task_pb2.CountJobsResponse(count=1200)
RUN = task_pb2.RunDailyQueueRequest()


async def test_the_daily_queue_is_sent_with_yes_and_the_count_is_shown() -> None:
    async with fake_scheduler(RunDailyQueue=MADE_DUE) as service:
        done = await run_command("daily", "run", "--yes", "--target", service.target)

    assert (done.code, done.out) == (0, "1,200 jobs became due\n")
    assert service.requests == [RUN]


async def test_a_pause_that_holds_back_the_daily_queue_is_shown() -> None:
    paused = task_pb2.StatusReport(pause=PAUSE)
    async with fake_scheduler(RunDailyQueue=MADE_DUE, GetStatus=paused) as service:
        done = await run_command("daily", "run", "--yes", "--target", service.target)

    assert done.out.startswith('1,200 jobs became due; but sending is paused by "ada@desk" since')
    assert done.out.endswith('("the relay moves"): mails wait until `gcsched resume`\n')


@pytest.mark.parametrize(
    ("answer", "code", "last_line", "calls"),
    [
        ("y\n", 0, "1,200 jobs became due\n", [QUEUED, RUN]),
        ("n\n", 1, "nothing was changed\n", [QUEUED]),
    ],
)
async def test_a_daily_run_asks_before_it_sends_the_queue(
    answer: str, code: int, last_line: str, calls: list[object]
) -> None:
    async with fake_scheduler(RunDailyQueue=MADE_DUE, CountJobs=WAITING) as service:
        exit_code, shown = await run_on_terminal(
            ["daily", "run", "--target", service.target], input_text=answer
        )

    assert "Send 1,200 jobs of the daily queue now? [y/N] " in shown
    assert (exit_code, service.requests) == (code, calls)
    assert shown.endswith(last_line)


async def test_an_empty_daily_queue_needs_no_confirmation_and_no_run() -> None:
    empty = task_pb2.CountJobsResponse()
    async with fake_scheduler(RunDailyQueue=MADE_DUE, CountJobs=empty) as service:
        exit_code, shown = await run_on_terminal(["daily", "run", "--target", service.target])

    assert (exit_code, shown) == (0, "0 jobs became due\n")
    assert service.requests == [QUEUED], "jobs that are queued meanwhile were not confirmed"


async def test_without_a_terminal_the_daily_queue_is_sent_with_yes_only() -> None:
    async with fake_scheduler(RunDailyQueue=MADE_DUE, CountJobs=WAITING) as service:
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
    async with fake_scheduler(RunDailyQueue=MADE_DUE, CountJobs=counted) as service:
        done = await run_command("daily", "run", "--dry-run", "--target", service.target)

    assert (done.code, done.out) == (0, words)
    assert service.requests == [QUEUED]


async def test_a_pause_records_who_and_why() -> None:
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
        "by          ada@desk",
        "reason      the relay moves",
        f"start_time  {START.astimezone().isoformat()}",
    ]


async def test_the_user_of_this_machine_pauses_by_default(
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


async def test_resuming_shows_the_pause_or_that_there_was_none() -> None:
    answers = [task_pb2.ResumeSendingResponse(pause=PAUSE), task_pb2.ResumeSendingResponse()]
    async with fake_scheduler(ResumeSending=answers) as service:
        ended = await run_command("resume", "--by=ada", "--target", service.target)
        nothing = await run_command("resume", "--by=ada", "--target", service.target)

    assert ended.out.startswith("sending again, after this pause:\n\nby          ada@desk\n")
    assert (nothing.code, nothing.out) == (0, "sending was not paused\n")
    assert service.requests == [task_pb2.ResumeSendingRequest(by="ada")] * 2


async def test_json_is_the_answer() -> None:
    async with fake_scheduler(PauseSending=PAUSE) as service:
        done = await run_command("pause", "--reason=x", "--json", "--target", service.target)

    expected = {
        "by": "ada@desk",
        "reason": "the relay moves",
        "start_time": "2026-01-05T09:00:00Z",
    }
    assert json.loads(done.out) == expected


async def test_a_pause_without_a_reason_is_wrong_usage() -> None:
    done = await run_command("pause")

    assert done.code == 2
    assert "--reason" in done.err
