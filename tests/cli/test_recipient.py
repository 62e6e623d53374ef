import json

import pytest

from gcsched.pb import task_pb2
from tests.answering import answering
from tests.program import command
from tests.terminal import on_a_terminal

FORGOTTEN = task_pb2.ForgetRecipientResponse(erased=3)


async def test_what_callers_told_is_shown() -> None:
    ada = task_pb2.Recipient(empid="E1815", name="Ada", email="ada@example.org", accepted=7)
    async with answering(GetRecipient=ada) as service:
        shown = await command("recipient", "show", "E1815", "--target", service.target)
        said = await command("recipient", "show", "E1815", "--json", "--target", service.target)

    assert shown.out.splitlines() == [
        "empid     E1815",
        "name      Ada",
        "email     ada@example.org",
        "accepted  7",
    ]
    assert json.loads(said.out)["accepted"] == "7"
    assert service.asked[0] == task_pb2.GetRecipientRequest(empid="E1815")


async def test_forgetting_asks_first() -> None:
    async with answering(ForgetRecipient=FORGOTTEN) as service:
        arguments = ["recipient", "forget", "E1815", "--target", service.target]
        no, refused = await on_a_terminal(arguments, typed="n\n")
        nobody = await command(*arguments)
        asked_before_yes = list(service.asked)
        yes, done = await on_a_terminal(arguments, typed="y\n")

    assert "Erase E1815, also in finished jobs? [y/N]" in refused
    assert (no, nobody.code, yes) == (1, 2, 0)
    assert asked_before_yes == []
    assert service.asked == [task_pb2.ForgetRecipientRequest(empid="E1815")]
    assert done.endswith("erased, also in 3 jobs\n")


@pytest.mark.parametrize(
    ("unfinished", "words"),
    [
        (0, "erased, also in 3 jobs\n"),
        (2, "not in 2 jobs, unfinished: cancel first what waits, then forget again\n"),
    ],
)
async def test_what_still_waits_is_told(unfinished: int, words: str) -> None:
    answer = task_pb2.ForgetRecipientResponse(erased=3, unfinished=unfinished)
    async with answering(ForgetRecipient=answer) as service:
        done = await command("recipient", "forget", "E1815", "--yes", "--target", service.target)

    assert done.code == 0
    assert done.out.endswith(words)
