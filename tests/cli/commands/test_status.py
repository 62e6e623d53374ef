import asyncio
import json
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import grpc
import pytest

from gcsched.cli.commands import status_view
from gcsched.pb import task_pb2
from tests.support.command import run_command
from tests.support.fake_scheduler import ErrorAnswer, FakeScheduler, fake_scheduler
from tests.support.terminal import run_on_terminal

STARTED = datetime(2026, 1, 5, 9, tzinfo=UTC)
STARTED_TEXT = STARTED.astimezone().isoformat()
BUSY = task_pb2.StatusReport(
    counts=[
        task_pb2.StatusReport.StateCount(state=task_pb2.Job.SCHEDULED, count=12),
        task_pb2.StatusReport.StateCount(state=task_pb2.Job.SENT),
    ],
    count_time=STARTED,
    oldest_due_lateness=timedelta(seconds=3.2),
    lateness=task_pb2.StatusReport.Lateness(
        mails=1200, p50=timedelta(milliseconds=40), p99=timedelta(seconds=1.5)
    ),
    relays=[
        task_pb2.StatusReport.Relay(
            name="first",
            sessions_open=16,
            sessions_busy=3,
            sessions_limit=24,
            rate=50,
            effective_rate=12.5,
        ),
        task_pb2.StatusReport.Relay(name="second", is_down=True),
        task_pb2.StatusReport.Relay(
            name="third",
            state=task_pb2.StatusReport.Relay.FAILED,
            last_error="CONNECT: the connection was refused",
            state_time=STARTED,
        ),
    ],
    pause=task_pb2.Pause(by="ada@desk", reason="the relay moves", start_time=STARTED),
    version="1.2.3",
    python="3.11.9",
    start_time=STARTED,
    stores=[
        task_pb2.StatusReport.Store(name="mongodb", state_time=STARTED),
        task_pb2.StatusReport.Store(name="redis", problem="no answer for 7 s", state_time=STARTED),
    ],
    report_time=STARTED + timedelta(seconds=43),
    sending=task_pb2.StatusReport.Sending(senders=["no-reply@example.org", "Pay <p@example.org>"]),
    zone_version="2026f",
)
QUIET = task_pb2.StatusReport(
    version="1.2.3",
    python="3.11.9",
    start_time=STARTED,
    sending=task_pb2.StatusReport.Sending(senders=["no-reply@example.org"]),
)


async def test_the_report_has_everything() -> None:
    async with fake_scheduler(GetStatus=BUSY) as service:
        done = await run_command("status", "--target", service.target)

    assert done.code == 0
    assert done.out.splitlines() == [
        "version     1.2.3, Python 3.11.9, time zones 2026f",
        f"started     {STARTED_TEXT}",
        f'sending     PAUSED by "ada@desk" since {STARTED_TEXT}: "the relay moves"',
        "senders     no-reply@example.org, Pay <p@example.org>",
        f"mongodb     ok, since {STARTED_TEXT}",
        f"redis       no answer for 7 s, since {STARTED_TEXT}",
        "oldest due  3.20 s late",
        "lateness    p50 0.04 s, p99 1.50 s (1,200 mails, last 5 min)",
        f"counted     {STARTED_TEXT}, 43 s ago",
        "problem     relay third: CONNECT: the connection was refused",
        "",
        "STATE      COUNT",
        "SCHEDULED  12",
        "SENT       0",
        "",
        "RELAY   STATE   OPEN  BUSY  LIMIT  RATE  EFFECTIVE  SINCE",
        "first   up      16    3     24     50/s  12.5/s     -",
        "second  down    0     0     -      -     -          -",
        f"third   failed  0     0     -      -     -          {STARTED_TEXT}",
    ]


async def test_recipients_that_get_no_mails_are_obvious() -> None:
    sending = task_pb2.StatusReport.Sending(
        redirect_to="qa@example.org\x1b", allowed_recipients=["example.org", "ada@example.com"]
    )
    async with fake_scheduler(GetStatus=task_pb2.StatusReport(sending=sending)) as service:
        done = await run_command("status", "--target", service.target)

    assert done.out.splitlines()[2:5] == [
        "sending     yes",
        "redirect    ALL MAILS GO TO qa@example.org? (GCSCHED_REDIRECT_TO)",
        "recipients  ONLY example.org, ada@example.com (GCSCHED_ALLOWED_RECIPIENTS)",
    ]


async def test_absent_values_are_described() -> None:
    async with fake_scheduler(GetStatus=QUIET) as service:
        done = await run_command("status", "--target", service.target)

    assert done.out.splitlines()[0] == "version     1.2.3, Python 3.11.9"
    assert done.out.splitlines()[2:] == [
        "sending     yes",
        "oldest due  unknown",
        "lateness    no mails in the last 5 min",
        "counted     no counts: MongoDB is unreachable or too slow",
    ]


def format_counted_after(age: timedelta | None) -> str:
    report = task_pb2.StatusReport()
    report.CopyFrom(BUSY)
    if age is None:
        report.ClearField("report_time")
    else:
        report.report_time.FromDatetime(STARTED + age)
    return dict(status_view.format_summary(report))["counted"]


def test_counts_are_shown_with_their_age() -> None:
    assert format_counted_after(timedelta(milliseconds=900)) == f"{STARTED_TEXT}, now"
    assert format_counted_after(timedelta(seconds=2.5)) == f"{STARTED_TEXT}, 2 s ago"
    assert format_counted_after(timedelta(minutes=2)) == f"{STARTED_TEXT}, 120 s ago"
    assert format_counted_after(None) == STARTED_TEXT, "an older service reports no time"


@pytest.mark.parametrize(
    ("access", "rows"),
    [
        (None, []),
        (task_pb2.StatusReport.Access(), ["anyone who reaches the port, not encrypted"]),
        (
            task_pb2.StatusReport.Access(is_controlled=True, is_encrypted=True, clients=3),
            ["3 clients, encrypted"],
        ),
        (
            task_pb2.StatusReport.Access(is_insecure=True),
            ["anyone who reaches the port, not encrypted; INSECURE: reachable from other machines"],
        ),
        (
            task_pb2.StatusReport.Access(is_controlled=True, clients=1, problem="line 2: wrong"),
            ["1 client, not encrypted", "line 2: wrong"],
        ),
    ],
)
def test_who_may_call_is_shown(
    access: task_pb2.StatusReport.Access | None, rows: list[str]
) -> None:
    report = task_pb2.StatusReport(access=access)

    assert [text for _, text in status_view.format_access(report)] == rows


async def test_json_is_the_report_in_one_line() -> None:
    async with fake_scheduler(GetStatus=BUSY) as service:
        done = await run_command("status", "--json", "--target", service.target)

    report = json.loads(done.out)
    assert report["counts"][0] == {"state": "SCHEDULED", "count": "12"}
    assert report["oldest_due_lateness"] == "3.200s"


async def start_watching(service: FakeScheduler, *options: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gcsched", "status", "--watch", "0.01", *options),
        *("--target", service.target),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


async def test_a_pause_cannot_forge_a_line_of_the_report() -> None:
    forged = task_pb2.Pause(
        by='ops" since noon: "ok', reason='x"\nsending     yes', start_time=STARTED
    )
    report = task_pb2.StatusReport(
        version="1.2.3", python="3.11.9", start_time=STARTED, pause=forged
    )
    async with fake_scheduler(GetStatus=report) as service:
        done = await run_command("status", "--target", service.target)

    lines = [line for line in done.out.splitlines() if line.startswith("sending")]
    words = r'PAUSED by "ops\" since noon: \"ok" since', r': "x\"\nsending yes"'
    assert lines == [f"sending     {words[0]} {STARTED_TEXT}{words[1]}"]


async def test_watching_goes_on_until_it_is_interrupted() -> None:
    async with fake_scheduler(GetStatus=QUIET) as service:
        process = await start_watching(service, "--json")
        assert process.stdout is not None
        lines = [json.loads(await process.stdout.readline()) for _ in range(3)]
        process.send_signal(signal.SIGINT)
        _, err = await process.communicate()

    assert [line["version"] for line in lines] == ["1.2.3"] * 3
    assert (process.returncode, err) == (130, b"")


async def test_watching_goes_on_while_there_is_no_answer() -> None:
    busy = ErrorAnswer(code=grpc.StatusCode.RESOURCE_EXHAUSTED)
    async with fake_scheduler(GetStatus=[QUIET, busy, QUIET]) as service:
        process = await start_watching(service)
        assert process.stdout is not None
        first = await process.stdout.readuntil(b"MongoDB is unreachable or too slow\n")
        second = await process.stdout.readuntil(b"MongoDB is unreachable or too slow\n")
        process.send_signal(signal.SIGINT)
        await process.communicate()

    assert b"RESOURCE_EXHAUSTED: as the test says" not in first
    assert b"RESOURCE_EXHAUSTED: as the test says" in second


async def test_watching_ends_with_a_refusal() -> None:
    async with fake_scheduler(
        GetStatus=[QUIET, ErrorAnswer(code=grpc.StatusCode.INTERNAL)]
    ) as service:
        process = await start_watching(service)
        _, err = await process.communicate()

    assert process.returncode == 1
    assert b"answered INTERNAL: as the test says\n" in err


async def test_on_a_terminal_a_report_replaces_the_previous_one() -> None:
    no = ErrorAnswer(code=grpc.StatusCode.INTERNAL)
    async with fake_scheduler(GetStatus=[BUSY, QUIET, no]) as service:
        arguments = ["status", "--watch", "0.01", "--target", service.target]
        code, shown = await run_on_terminal(arguments, columns=120)

    first, second = shown.index('PAUSED by "ada@desk"'), shown.index("MongoDB is unreachable")
    assert code == 1
    assert "\x1b[1A" in shown[first:second]  # up a line
    assert "answered INTERNAL" in shown


@pytest.mark.parametrize("every", ["0", "-1", "soon"])
async def test_an_invalid_interval_is_wrong_usage(every: str) -> None:
    done = await run_command("status", f"--watch={every}")

    assert done.code == 2


def test_each_problem_has_a_line() -> None:
    report = task_pb2.StatusReport(
        unreadable_jobs=1234, problems=["index claim of jobs is missing", "MongoDB refuses: x"]
    )

    rows = status_view.format_summary(report)

    assert [row for row in rows if row[0] in {"problem", "unreadable"}] == [
        ("problem", "index claim of jobs is missing"),
        ("problem", "MongoDB refuses: x"),
        ("unreadable", "1,234 jobs: the log names them (job unreadable)"),
    ]
    assert not [row for row in status_view.format_summary(QUIET) if row[0] == "problem"]
