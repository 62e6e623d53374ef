"""Urgent mails in the domain queues."""

import pytest

from tests.support.builders import FixedClock
from tests.support.domain_queues import fill_queues, mail, mails, names, put_off, take, urgent


@pytest.mark.parametrize("limit", [0, 10], ids=["no limit", "a limit"])
async def test_an_urgent_mail_is_the_next_one(clock: FixedClock, limit: int) -> None:
    queues = fill_queues(clock, *mails("a", 5), *mails("b", 5), limit=limit)
    await take(queues, 1)

    for name in ("c-first", "a-second"):
        queues.put(urgent(name))

    assert names(await take(queues, 4)) == ["c-first", "a-second", "a1", "a2"]


async def test_an_urgent_mail_goes_before_others_of_its_full_domain(clock: FixedClock) -> None:
    queues = fill_queues(clock, *mails("a", 4), *mails("b", 1), limit=2)
    [first] = await take(queues, 1)

    queues.put(urgent("a-now"))

    assert names(await take(queues, 2)) == ["a-now", "b0"]
    assert queues.count_waiting() == 3
    queues.done(first)
    assert names(await take(queues, 1)) == ["a1"]
    assert queues.count_waiting() == 2


async def test_urgent_mails_keep_to_the_slots_of_their_domain(clock: FixedClock) -> None:
    queues = fill_queues(clock, *mails("a", 2), limit=2)
    out = await take(queues, 2)

    queues.put(urgent("a-now"))
    queues.put(mail("b0"))

    assert names(await take(queues, 1)) == ["b0"]
    queues.done(out[0])
    assert names(await take(queues, 1)) == ["a-now"]


async def test_an_urgent_mail_is_put_off_only_behind_twice_as_many(
    clock: FixedClock,
) -> None:
    queues = fill_queues(clock, *mails("a", 1 + 4), limit=1)
    assert put_off(queues, "a", 1)

    assert [queues.put(urgent(f"a-{n}")) for n in range(4)] == [None] * 4
    assert queues.put(urgent("a-more")) is not None
    assert queues.put(urgent("b-now")) is None
    assert names(await take(queues, 2)) == ["a-0", "b-now"]
