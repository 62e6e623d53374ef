"""Abbreviated job ids."""

import json
from typing import Any
from uuid import UUID

import grpc
import pytest

from gcsched.pb import task_pb2
from tests.support.command import CommandResult, run_command, run_gcsched
from tests.support.fake_scheduler import ErrorAnswer, fake_scheduler
from tests.support.in_process_app import make_settings, running_app

ID = "0190a6e2c3d47b5f8a9b0c1d2e3f4a5b"
OTHERS = [f"0190a6e2{number:024}" for number in range(6)]
JOB_COMMANDS: dict[str, list[str]] = {
    "GetJob": ["show"],
    "CancelJob": ["cancel"],
    "RescheduleJob": ["reschedule", "--daily"],
    "RetryJob": ["retry"],
    "ResolveJob": ["resolve", "--sent", "--reason=seen"],
}


def page(*ids: str) -> task_pb2.ListJobsResponse:
    return task_pb2.ListJobsResponse(
        jobs=[task_pb2.Job(job_id=each, state=task_pb2.Job.SENT) for each in ids]
    )


async def run_job_command(*arguments: str, **answers: Any) -> tuple[CommandResult, list[Any]]:
    async with fake_scheduler(**answers) as service:
        done = await run_command("job", *arguments, "--target", service.target)
    return done, list(service.requests)


@pytest.mark.parametrize("method", JOB_COMMANDS)
async def test_the_first_characters_of_an_id_stand_for_it(method: str) -> None:
    name, *options = JOB_COMMANDS[method]
    answers = {"ListJobs": page(ID), method: task_pb2.Job(job_id=ID)}
    done, (listing, step) = await run_job_command(name, "0190", *options, **answers)

    assert (done.code, done.err) == (0, "")
    expected = task_pb2.JobFilter(id_prefix="0190")
    assert listing == task_pb2.ListJobsRequest(filter=expected, page_size=6)
    assert step.job_id == ID


@pytest.mark.parametrize("method", JOB_COMMANDS)
async def test_an_ambiguous_id_changes_nothing_and_lists_the_matches(method: str) -> None:
    name, *options = JOB_COMMANDS[method]
    answers = {"ListJobs": page(*OTHERS), method: task_pb2.Job()}
    done, requests = await run_job_command(name, "0190a6e2", *options, **answers)

    first, *candidates = done.err.splitlines()
    assert (done.code, done.out, len(requests)) == (2, "", 1)
    assert first == "ambiguous job id '0190a6e2': several jobs match, write more of it"
    assert [line.split()[:2] for line in candidates[:-1]] == [[each, "SENT"] for each in OTHERS[:5]]
    assert candidates[-1] == "  and more"


@pytest.mark.parametrize("given", [ID, ID + "0", "not-a-job-id-but-as-long-as-one-is"])
async def test_a_complete_id_is_sent_unchanged(given: str) -> None:
    unknown = ErrorAnswer(code=grpc.StatusCode.NOT_FOUND, reason="JOB_NOT_FOUND")
    done, requests = await run_job_command("show", given, ListJobs=page(ID), GetJob=unknown)

    assert done.code == 1
    assert requests == [task_pb2.GetJobRequest(job_id=given)]


@pytest.mark.parametrize("given", ["019", "0", "01-9", "x"])
@pytest.mark.parametrize("method", JOB_COMMANDS)
async def test_an_id_that_is_too_short_makes_no_call(method: str, given: str) -> None:
    name, *options = JOB_COMMANDS[method]
    done, requests = await run_job_command(name, given, *options, ListJobs=page(ID))

    assert (done.code, done.out, requests) == (2, "", [])
    assert "write at least 4 characters of it" in done.err


@pytest.mark.parametrize("given", [ID.upper(), str(UUID(ID)), str(UUID(ID)).upper()])
async def test_an_id_may_be_written_as_a_uuid(given: str) -> None:
    _, whole = await run_job_command("show", given, GetJob=task_pb2.Job(job_id=ID))
    answers = {"ListJobs": page(ID), "GetJob": task_pb2.Job(job_id=ID)}
    _, (listing, get) = await run_job_command("show", given[:12], **answers)

    assert whole == [get] == [task_pb2.GetJobRequest(job_id=ID)]
    assert ID.startswith(listing.filter.id_prefix)


async def test_json_of_an_ambiguous_id_has_the_ids_and_no_addresses() -> None:
    jobs = [task_pb2.Job(job_id=each, email="ada@example.org") for each in OTHERS]
    listed = task_pb2.ListJobsResponse(jobs=jobs)
    done, _ = await run_job_command("show", "0190", "--json", ListJobs=listed)

    error = json.loads(done.err)["error"]
    assert error["message"] == "ambiguous job id '0190': several jobs match, write more of it"
    assert error["metadata"] == {"job_ids": ",".join(OTHERS[:5]), "more": "true"}
    assert "ada@" not in done.err


@pytest.mark.parametrize(
    "listed",
    [
        page(),
        # Older than the filter: the newest jobs, one of which may match by chance.
        page(*(f"ffff{number:028}" for number in range(6))),
        page(*(f"ffff{number:028}" for number in range(5)), OTHERS[0]),
        page(*OTHERS[:2], *(f"ffff{number:028}" for number in range(4))),
        ErrorAnswer(code=grpc.StatusCode.INVALID_ARGUMENT),
        ErrorAnswer(code=grpc.StatusCode.PERMISSION_DENIED),
    ],
)
async def test_an_id_without_a_match_is_sent_unchanged(listed: Any) -> None:
    unknown = ErrorAnswer(code=grpc.StatusCode.NOT_FOUND, reason="JOB_NOT_FOUND")
    done, requests = await run_job_command("cancel", "0190a6e2", ListJobs=listed, CancelJob=unknown)

    assert done.code == 1
    assert requests[-1] == task_pb2.CancelJobRequest(job_id="0190a6e2")


async def test_no_answer_to_the_lookup_is_no_answer() -> None:
    away = ErrorAnswer(code=grpc.StatusCode.RESOURCE_EXHAUSTED)
    done, requests = await run_job_command(
        "cancel", "0190", ListJobs=away, CancelJob=task_pb2.Job()
    )

    assert done.code == 3
    assert not any(isinstance(each, task_pb2.CancelJobRequest) for each in requests)


async def test_a_real_service_finds_the_job(mongo_uri: str, redis_url: str) -> None:
    async with running_app(make_settings(mongo=mongo_uri, redis=redis_url, relay_port=9)) as app:
        to = ("--target", app.target)
        schedule = ("schedule", "--to=ada@example.org", "--message=Hi", "--at=+1h", "--json", *to)
        ids = [
            json.loads((await run_gcsched(*schedule, f"--empid=E{number}")).stdout)["job_id"]
            for number in range(2)
        ]
        cancelled = await run_gcsched("job", "cancel", ids[1][:-4], "--json", *to)
        both = await run_gcsched("job", "show", ids[0][:6], *to)

    assert json.loads(cancelled.stdout)["job_id"] == ids[1]
    assert both.returncode == 2
    assert set(ids) == {line.split()[0] for line in both.stderr.splitlines()[1:]}
