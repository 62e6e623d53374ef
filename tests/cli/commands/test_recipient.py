import json
from typing import Any

import pytest

from gcsched.pb import task_pb2
from tests.support.command import run_command
from tests.support.fake_scheduler import fake_scheduler
from tests.support.terminal import run_on_terminal

ERASED_EXCEPT_UNFINISHED = (
    "erased, also in 3 jobs; {} the details: cancel {} end, then forget E1815 again\n"
)
FORGOTTEN = task_pb2.ForgetRecipientResponse(erased_jobs=3)


async def test_what_callers_told_is_shown() -> None:
    ada = task_pb2.Recipient(empid="E1815", name="Ada", email="ada@example.org", accepted_count=7)
    async with fake_scheduler(GetRecipient=ada) as service:
        shown = await run_command("recipient", "show", "E1815", "--target", service.target)
        said = await run_command("recipient", "show", "E1815", "--json", "--target", service.target)

    assert shown.out.splitlines() == [
        "empid     E1815",
        "name      Ada",
        "email     ada@example.org",
        "accepted  7",
    ]
    assert json.loads(said.out)["accepted"] == "7"
    assert service.requests[0] == task_pb2.GetRecipientRequest(empid="E1815")


async def test_forgetting_asks_first() -> None:
    async with fake_scheduler(ForgetRecipient=FORGOTTEN) as service:
        arguments = ["recipient", "forget", "E1815", "--target", service.target]
        no, refused = await run_on_terminal(arguments, input_text="n\n")
        nobody = await run_command(*arguments)
        asked_before_yes = list(service.requests)
        yes, done = await run_on_terminal(arguments, input_text="y\n")

    assert "Erase E1815, also in finished jobs? [y/N]" in refused
    assert (no, nobody.code, yes) == (1, 2, 0)
    assert asked_before_yes == []
    assert service.requests == [task_pb2.ForgetRecipientRequest(empid="E1815")]
    assert done.endswith("erased, also in 3 jobs\n")


@pytest.mark.parametrize(
    ("unfinished", "words"),
    [
        (0, "erased, also in 3 jobs\n"),
        (1, ERASED_EXCEPT_UNFINISHED.format("1 unfinished job keeps", "it or wait for its")),
        (2, ERASED_EXCEPT_UNFINISHED.format("2 unfinished jobs keep", "them or wait for their")),
    ],
)
async def test_what_still_waits_is_told(unfinished: int, words: str) -> None:
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
        ({"had_details": False}, "nothing is stored about NOPE; nothing was changed\n"),
        ({"had_details": True}, "erased, also in 0 jobs\n"),
        ({}, "erased, also in 0 jobs\n"),  # a service that is older than the field
        ({"had_details": False, "erased": 1}, "erased in 1 job\n"),
    ],
)
async def test_only_what_was_there_is_said_to_be_erased(answer: dict[str, Any], words: str) -> None:
    reply = task_pb2.ForgetRecipientResponse(**answer)
    async with fake_scheduler(ForgetRecipient=reply) as service:
        done = await run_command("recipient", "forget", "NOPE", "--yes", "--target", service.target)

    assert (done.code, done.out) == (0, words)


async def test_what_was_not_erased_is_not_said_to_be() -> None:
    reply = task_pb2.ForgetRecipientResponse(details_erased=False, unfinished_jobs=2)
    async with fake_scheduler(ForgetRecipient=reply) as service:
        done = await run_command("recipient", "forget", "E1", "--yes", "--target", service.target)

    assert done.out.startswith("nothing was erased; 2 unfinished jobs keep the details: ")
