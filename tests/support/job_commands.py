"""Runs of `gcsched job` against a fake service, and a job as its answer."""

from datetime import UTC, datetime

from gcsched.pb import task_pb2
from tests.support.command import CommandResult, run_command
from tests.support.fake_scheduler import ErrorAnswer, fake_scheduler

ID = "0190a6e2c3d47b5f8a9b0c1d2e3f4a5b"

DUE = datetime(2026, 1, 5, 9, tzinfo=UTC)

JOB = task_pb2.Job(
    job_id=ID,
    state=task_pb2.Job.RETRYING,
    etag="3",
    empid="E1815",
    email="ada@example.org",
    name="Ada",
    labels={"team": "hr", "a": "b"},
    due_time=DUE,
    reason="451 later",
    attempt=1,
    attempts=[
        task_pb2.Attempt(
            start_time=DUE,
            kind=task_pb2.Attempt.DEFERRED,
            relay="first",
            code=451,
            enhanced_code="4.7.1",
            text="later\x1b[2J please",
        )
    ],
)

BARE = task_pb2.Job(job_id=ID)


async def run_with_answers(
    *arguments: str, **answers: task_pb2.Job | ErrorAnswer
) -> tuple[CommandResult, list[object]]:
    async with fake_scheduler(**answers) as service:
        done = await run_command(*arguments, "--target", service.target)
    return done, list(service.requests)
