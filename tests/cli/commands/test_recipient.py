import json
from typing import Any

import pytest

from gcsched.pb import task_pb2
from tests.support.command import run_command
from tests.support.fake_scheduler import fake_scheduler
from tests.support.terminal import run_on_terminal

ERASED_EXCEPT_UNFINISHED = (
    "erased, also in 3 jobs; {} the details: cancel {}, then forget E1815 again\n"
)
FORGOTTEN = task_pb2.ForgetRecipientResponse(erased_jobs=3)


async def test_the_stored_details_are_shown() -> None:
    ada = task_pb2.Recipient(empid="E1815", name="Ada", email="ada@example.org", accepted_count=7)
    async with fake_scheduler(GetRecipient=ada) as service:
        shown = await run_command("recipient", "show", "E1815", "--target", service.target)
        as_json = await run_command(
            "recipient", "show", "E1815", "--json", "--target", service.target
        )

    assert shown.out.splitlines() == [
        "empid           E1815",
        "name            Ada",
        "email           ada@example.org",
        "accepted_count  7",
    ]
    assert json.loads(as_json.out)["accepted_count"] == "7"
    assert service.requests[0] == task_pb2.GetRecipientRequest(empid="E1815")


async def test_forgetting_asks_first() -> None:
    async with fake_scheduler(ForgetRecipient=FORGOTTEN) as service:
        arguments = ["recipient", "forget", "E1815", "--target", service.target]
        no, refused = await run_on_terminal(arguments, input_text="n\n")
        without_terminal = await run_command(*arguments)
        requests_before_yes = list(service.requests)
        yes, done = await run_on_terminal(arguments, input_text="y\n")

    assert "Erase the data of E1815, also in finished jobs? [y/N]" in refused
    assert (no, without_terminal.code, yes) == (1, 2, 0)
    assert requests_before_yes == []
    assert service.requests == [task_pb2.ForgetRecipientRequest(empid="E1815")]
    assert done.endswith("erased, also in 3 jobs\n")


@pytest.mark.parametrize(
    ("unfinished", "words"),
    [
        (0, "erased, also in 3 jobs\n"),
        (
            1,
            ERASED_EXCEPT_UNFINISHED.format(
                "1 unfinished job still has", "it or wait until it ends"
            ),
        ),
        (
            2,
            ERASED_EXCEPT_UNFINISHED.format(
                "2 unfinished jobs still have", "them or wait until they end"
            ),
        ),
    ],
)
async def test_unfinished_jobs_are_reported(unfinished: int, words: str) -> None:
    answer = task_pb2.ForgetRecipientResponse(erased_jobs=3, unfinished_jobs=unfinished)
    async with fake_scheduler(ForgetRecipient=answer) as service:
        done = await run_command(
            "recipient", "forget", "E1815", "--yes", "--target", service.target
        )

    assert done.code == 0
    assert done.out == words


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"details_erased": False}, "nothing is stored about NOPE; nothing was changed\n"),
        ({"details_erased": True}, "erased, also in 0 jobs\n"),
        ({}, "erased, also in 0 jobs\n"),  # the service is older than the field
        ({"details_erased": False, "erased_jobs": 1}, "erased in 1 job\n"),
    ],
)
async def test_only_erased_data_are_reported_as_erased(answer: dict[str, Any], words: str) -> None:
    reply = task_pb2.ForgetRecipientResponse(**answer)
    async with fake_scheduler(ForgetRecipient=reply) as service:
        done = await run_command("recipient", "forget", "NOPE", "--yes", "--target", service.target)

    assert (done.code, done.out) == (0, words)


async def test_details_of_unfinished_jobs_are_not_reported_as_erased() -> None:
    reply = task_pb2.ForgetRecipientResponse(details_erased=False, unfinished_jobs=2)
    async with fake_scheduler(ForgetRecipient=reply) as service:
        done = await run_command("recipient", "forget", "E1", "--yes", "--target", service.target)

    assert done.out.startswith("nothing was erased; 2 unfinished jobs still have the details: ")
