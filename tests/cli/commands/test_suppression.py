import json
from datetime import UTC, datetime

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from gcsched.pb import task_pb2
from tests.support.command import run_command
from tests.support.fake_scheduler import ErrorAnswer, fake_scheduler

EXPIRE_TIME = datetime(2026, 1, 5, 9, tzinfo=UTC)
SUPPRESSION = task_pb2.Suppression(
    email="gone@example.org", reason="no such user", expire_time=EXPIRE_TIME
)


async def test_all_pages_are_listed_with_expire_time_and_reason() -> None:
    pages = [
        task_pb2.ListSuppressionsResponse(suppressions=[SUPPRESSION], next_page_token="next"),
        task_pb2.ListSuppressionsResponse(suppressions=[SUPPRESSION]),
    ]
    async with fake_scheduler(ListSuppressions=pages) as service:
        done = await run_command("suppression", "list", "--target", service.target)

    heading, *rows = done.out.splitlines()
    here = EXPIRE_TIME.astimezone().isoformat()
    assert heading.split() == ["EMAIL", "EXPIRE_TIME", "CREATE_TIME", "JOB_ID", "REASON"]
    assert rows == [f"gone@example.org  {here}  -            -       no such user"] * 2
    assert service.requests == [
        task_pb2.ListSuppressionsRequest(page_size=50),
        task_pb2.ListSuppressionsRequest(page_size=49, page_token="next"),
    ]


async def test_json_has_a_line_for_each_suppression() -> None:
    both = task_pb2.ListSuppressionsResponse(suppressions=[SUPPRESSION, SUPPRESSION])
    async with fake_scheduler(ListSuppressions=both) as service:
        done = await run_command("suppression", "list", "--json", "--target", service.target)

    lines = [json.loads(line) for line in done.out.splitlines()]
    assert [line["expire_time"] for line in lines] == ["2026-01-05T09:00:00Z"] * 2


async def test_an_address_is_suppressed_until_a_time_or_as_configured() -> None:
    reason = "--reason=on request"
    async with fake_scheduler(AddSuppression=SUPPRESSION) as service:
        where = ("--target", service.target)
        added = await run_command(
            "suppression",
            "add",
            "a@example.org",
            reason,
            "--expire-time=2026-01-05T09:00:00Z",
            *where,
        )
        await run_command("suppression", "add", "a@example.org", reason, *where)

    assert service.requests == [
        task_pb2.AddSuppressionRequest(
            email="a@example.org", reason="on request", expire_time=Timestamp(seconds=1767603600)
        ),
        task_pb2.AddSuppressionRequest(email="a@example.org", reason="on request"),
    ]
    assert added.out.startswith(
        "email        gone@example.org\nreason       no such user\nexpire_time  "
    )


async def test_a_removed_suppression_is_shown() -> None:
    answer = task_pb2.RemoveSuppressionResponse(suppression=SUPPRESSION)
    async with fake_scheduler(RemoveSuppression=answer) as service:
        done = await run_command(
            "suppression", "remove", "gone@example.org", "--target", service.target
        )

    assert done.code == 0
    assert "reason       no such user\n" in done.out
    assert service.requests == [task_pb2.RemoveSuppressionRequest(email="gone@example.org")]


async def test_removing_a_suppression_that_does_not_exist_fails_with_its_reason() -> None:
    refusal = ErrorAnswer(code=grpc.StatusCode.NOT_FOUND, reason="SUPPRESSION_NOT_FOUND")
    async with fake_scheduler(RemoveSuppression=refusal) as service:
        done = await run_command(
            "suppression", "remove", "a@example.org", "--target", service.target
        )

    assert done.code == 1
    assert "  reason: SUPPRESSION_NOT_FOUND\n" in done.err


async def test_the_suppression_of_an_address_is_shown() -> None:
    async with fake_scheduler(GetSuppression=SUPPRESSION) as service:
        shown = await run_command(
            "suppression", "show", "A@example.org", "--target", service.target
        )

    assert shown.code == 0
    assert shown.out.startswith("email ")
    assert service.requests == [task_pb2.GetSuppressionRequest(email="A@example.org")]
