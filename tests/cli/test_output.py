"""The output for its reader: a person at a terminal, a program, or none at all."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gcsched.cli.blocks import Table
from gcsched.cli.output import format_plain
from gcsched.domain.caller_text import replace_unprintable
from gcsched.pb import task_pb2
from tests.support.command import run_shell
from tests.support.fake_scheduler import fake_scheduler
from tests.support.terminal import run_on_terminal

ID = "0190a6e2c3d47b5f8a9b0c1d2e3f4a5b"
JOBS = task_pb2.ListJobsResponse(
    jobs=[
        task_pb2.Job(
            job_id=ID,
            state=task_pb2.Job.SENT,
            empid="E1815",
            email="[bold]ada.augusta.king.of.lovelace@analytical.example.org",
        )
    ]
)


@pytest.mark.parametrize("columns", [40, 80, 200])
async def test_ids_and_states_stay_whole_on_a_terminal_of_any_width(columns: int) -> None:
    async with fake_scheduler(ListJobs=JOBS) as service:
        arguments = ["job", "list", "--target", service.target]
        code, shown = await run_on_terminal(arguments, columns=columns)

    assert code == 0
    assert "\x1b[" in shown
    assert f"{ID}  SENT   -         E1815  " in shown
    assert shown.count("[bold]") == 1


def test_text_from_others_does_not_move_the_cursor() -> None:
    assert replace_unprintable("a\x1b[2Jb\nc\u202ed\u00e9") == "a?[2Jb?c?d\u00e9"


def test_columns_are_as_wide_as_needed_and_end_without_blanks() -> None:
    table = Table(columns=["A", "LONG"], rows=[["x" * 300, ""], ["1", "2"]])

    assert format_plain([table, "done"]) == [
        f"A{' ' * 299}  LONG",
        f"{'x' * 300}  -",
        f"1{' ' * 299}  2",
        "",
        "done",
    ]


def test_text_from_others_does_not_look_like_another_column() -> None:
    table = Table(columns=["ID", "REASON", "STATE"], rows=[["1", "no  SENT   ", "FAILED"]])

    assert format_plain([table])[1] == "1   no SENT   FAILED"


async def test_a_reader_that_goes_away_ends_the_command_quietly() -> None:
    jobs = [task_pb2.Job(job_id=f"{n:032}", email="x" * 200) for n in range(1000)]
    async with fake_scheduler(ListJobs=task_pb2.ListJobsResponse(jobs=jobs)) as service:
        reading, writing = os.pipe()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "gcsched", "job", "list", "--json", "--limit=1000"),
            *("--target", service.target),
            stdout=writing,
            stderr=subprocess.PIPE,
        )
        os.close(writing)
        await asyncio.to_thread(os.read, reading, 100)
        os.close(reading)  # as `| head -1` does
        _, err = await process.communicate()

    assert (process.returncode, err) == (141, b"")


async def test_an_output_without_unicode_gets_question_marks() -> None:
    job = task_pb2.Job(job_id=ID, name="Zo\u00eb")
    async with fake_scheduler(GetJob=job) as service:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "gcsched", "job", "show", ID, "--target", service.target),
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONIOENCODING": "ascii"},
        )
        out, _ = await process.communicate()

    assert (process.returncode, out) == (0, f"job_id  {ID}\nname    Zo?\n".encode())


async def test_a_closed_output_is_ignored() -> None:
    async with fake_scheduler(GetJob=task_pb2.Job(job_id=ID)) as service:
        done = await run_shell(f"gcsched job show {ID} --target {service.target} >&-")

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has /dev/full")
@pytest.mark.parametrize(
    ("limit", "file", "why"),
    [
        ("", "/dev/full", "No space left on device"),
        ("ulimit -f 0; ", "file", "File too large"),
    ],
)
async def test_an_output_that_cannot_be_written_is_reported_in_a_sentence(
    tmp_path: Path, limit: str, file: str, why: str
) -> None:
    async with fake_scheduler(GetJob=task_pb2.Job(job_id=ID)) as service:
        command = f"gcsched job show {ID} --target {service.target}"
        done = await run_shell(f"{limit}{command} >{tmp_path / file}")

    assert (done.returncode, done.stderr) == (
        1,
        f"cannot write to standard output ({why}): the output is incomplete\n",
    )
