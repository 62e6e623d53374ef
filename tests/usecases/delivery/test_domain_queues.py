import asyncio
from collections import Counter
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gcsched.domain.job import Priority
from gcsched.usecases.delivery.deliver import ClaimedJob
from gcsched.usecases.delivery.domain_queues import DomainQueues
from tests.support.builders import NOW, FixedClock, a_claimed_job
from tests.support.clocks import SECOND
from tests.support.domain_queues import fill_queues, mail, mails, names, put_off, take, urgent


async def deliver(queues: DomainQueues, clock: FixedClock, took: timedelta) -> None:
    [claimed] = await take(queues, 1)
    clock.advance(took)
    queues.done(claimed)


async def test_without_slots_jobs_are_taken_in_order(clock: FixedClock) -> None:
    waiting = [*mails("a", 300), *mails("b", 2)]
    queues = fill_queues(clock, *waiting, limit=0)

    out = await take(queues, 302)
    for each in out:
        queues.done(each)

    assert out == waiting
    assert queues.count_waiting() == 0


async def test_others_overtake_a_full_domain(clock: FixedClock) -> None:
    queues = fill_queues(clock, *mails("a", 4), *mails("b", 2), limit=2)

    out = await take(queues, 4)

    assert names(out) == ["a0", "a1", "b0", "b1"]
    assert queues.count_waiting() == 2


async def test_a_freed_slot_goes_to_the_oldest_job_of_its_domain(
    clock: FixedClock,
) -> None:
    queues = fill_queues(clock, *mails("a", 3), *mails("b", 1), limit=1)
    [first] = await take(queues, 1)

    queues.done(first)

    assert names(await take(queues, 2)) == ["a1", "b0"]
    assert queues.count_waiting() == 1


async def test_a_worker_that_waits_gets_the_job_whose_slot_becomes_free(
    clock: FixedClock,
) -> None:
    queues = fill_queues(clock, *mails("a", 2), limit=1)
    [first] = await take(queues, 1)
    getting = asyncio.create_task(queues.get())
    await asyncio.sleep(0)
    assert not getting.done()

    queues.done(first)

    async with asyncio.timeout(1):
        assert (await getting).job.id == "a1"


async def test_a_domain_is_the_same_however_it_is_written(clock: FixedClock) -> None:
    queues = fill_queues(clock, *mails("a", 1), limit=1)

    job = a_claimed_job(id="a1", email='"a@b"@A.Example')
    queues.put(ClaimedJob(job=job, token="claim-1"))

    assert queues.count_waiting() == 1


async def test_few_jobs_of_a_full_domain_wait_and_the_rest_is_put_off(clock: FixedClock) -> None:
    queues = fill_queues(clock, *mails("a", 2 + 8), limit=2)

    [due] = put_off(queues, "a", 1)

    assert due == NOW + SECOND
    assert queues.count_waiting() == 8
    assert queues.put(mail("b0")) is None


async def test_each_job_put_off_gets_a_later_time_than_the_one_before(clock: FixedClock) -> None:
    queues = fill_queues(clock, *mails("a", 1 + 4), limit=1)
    await deliver(queues, clock, 3 * SECOND)
    queues.put(mail("a-fifth"))

    due = put_off(queues, "a", 4)

    assert due == [clock.now + seconds * SECOND for seconds in (12, 15, 18, 21)]


async def test_no_job_is_put_off_by_less_than_a_second_or_more_than_a_minute(
    clock: FixedClock,
) -> None:
    queues = fill_queues(clock, *mails("a", 1 + 4), limit=1)
    soon = put_off(queues, "a", 1)
    await deliver(queues, clock, timedelta(minutes=5, milliseconds=1))
    queues.put(mail("a-fifth"))

    late = put_off(queues, "a", 50)

    assert soon == [NOW + SECOND]
    assert 59 * SECOND <= min(late) - clock.now <= max(late) - clock.now <= 60 * SECOND
    assert {moment.microsecond for moment in late} == {0}


async def test_mails_that_hang_count_for_as_long_as_they_hang(clock: FixedClock) -> None:
    queues = fill_queues(clock, *mails("a", 2 + 8), limit=2)
    await take(queues, 2)
    clock.advance(5 * SECOND)

    due = put_off(queues, "a", 3)

    assert due[0] == clock.now + 8 * 5 * SECOND / 2
    assert due == sorted(due)


async def test_start_times_in_the_past_are_not_used_again(clock: FixedClock) -> None:
    queues = fill_queues(clock, *mails("a", 1 + 4), limit=1)
    await deliver(queues, clock, 3 * SECOND)
    queues.put(mail("a-fifth"))
    put_off(queues, "a", 500)
    clock.advance(100 * SECOND)

    [due] = put_off(queues, "a", 1)

    assert due == clock.now + 12 * SECOND


async def test_more_jobs_of_a_fast_domain_may_wait(clock: FixedClock) -> None:
    queues = fill_queues(clock, *mails("a", 1), limit=1)
    await deliver(queues, clock, SECOND / 50)

    due = put_off(queues, "a", 1 + 100 + 3)

    assert queues.count_waiting() == 100
    assert len(due) == 3


async def test_not_all_jobs_of_the_fastest_domain_wait(clock: FixedClock) -> None:
    queues = fill_queues(clock, *mails("a", 2), limit=2)
    await deliver(queues, clock, timedelta(0))

    put_off(queues, "a", 2_000)

    assert queues.count_waiting() == 500


async def test_a_drain_returns_all_waiting_jobs_and_none_in_delivery(
    clock: FixedClock,
) -> None:
    queues = fill_queues(clock, *mails("a", 4), *mails("b", 2), limit=2)
    out = await take(queues, 3)

    drained = queues.drain()
    for each in out:
        queues.done(each)

    assert names(out) == ["a0", "a1", "b0"]
    assert sorted(names(drained)) == ["a2", "a3", "b1"]
    assert (queues.drain(), queues.count_waiting()) == ([], 0)


async def test_after_a_drain_all_slots_are_free(clock: FixedClock) -> None:
    queues = fill_queues(clock, *mails("a", 4), limit=2)
    queues.drain()

    again = mails("a", 2)
    for each in again:
        queues.put(each)

    assert await take(queues, 2) == again


async def test_idle_domains_are_dropped_when_there_are_too_many(
    clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gcsched.usecases.delivery.domain_queues.MAX_QUEUES", 3)
    queues = fill_queues(clock, *mails("a", 2), limit=1)
    [busy] = await take(queues, 1)

    for domain in "bcdefgh":
        queues.put(mail(f"{domain}0"))
        await deliver(queues, clock, SECOND)
    queues.done(busy)

    assert names(await take(queues, 1)) == ["a1"]


@given(data=st.data())
@settings(deadline=None, max_examples=200)
def test_no_job_is_lost_no_domain_exceeds_its_slots_and_no_slot_stays_free(
    data: st.DataObject,
) -> None:
    asyncio.run(run_scenario(data))


async def run_scenario(data: st.DataObject) -> None:
    """Put, get and finish jobs at random; each job comes out once, urgent ones first."""
    limit = data.draw(st.integers(1, 3))
    queues = DomainQueues(slots_per_domain=limit, now=FixedClock())
    inside: list[ClaimedJob] = []
    out: list[ClaimedJob] = []
    for number, step in enumerate(data.draw(st.lists(st.sampled_from("pugdpg"), max_size=40))):
        if step in "pu":
            name = data.draw(st.sampled_from("ab"))
            each = (urgent if step == "u" else mail)(f"{name}{number}")
            if queues.put(each) is None:
                inside.append(each)
        elif step == "d" and out:
            queues.done(out.pop(0))
        elif step == "g" and (best := next_in_order(inside, out, limit)):
            [each] = await take(queues, 1)
            assert each is best
            inside.remove(each)
            out.append(each)
    assert sorted(names(queues.drain())) == sorted(names(inside))


def next_in_order(inside: list[ClaimedJob], out: list[ClaimedJob], limit: int) -> ClaimedJob | None:
    """Return the first urgent job, else the first job, of those whose domain has a free slot."""
    busy = Counter(each.job.email[-9] for each in out)
    free = [each for each in inside if busy[each.job.email[-9]] < limit]
    free.sort(key=lambda each: each.job.priority is not Priority.URGENT)
    return free[0] if free else None


@pytest.mark.parametrize(
    ("one", "same", "other"),
    [
        ("a@[IPv6:2001:db8::1]", '"b@c"@[ipv6:2001:DB8::1]', "a@[IPv6:2001:db8::2]"),
        ("a@[192.0.2.1]", "b@[192.0.2.1]", "b@[192.0.2.2]"),
        ("a@mailhost", '"x@y.example"@mailhost', "a@y.example"),
    ],
)
async def test_literals_bare_hosts_and_quoted_addresses_have_the_queue_of_their_domain(
    clock: FixedClock, one: str, same: str, other: str
) -> None:
    waiting = [
        ClaimedJob(job=a_claimed_job(id=email, email=email), token="claim-1")
        for email in (one, same, other)
    ]

    queues = fill_queues(clock, *waiting, limit=1)

    assert names(await take(queues, 2)) == [one, other]
    assert queues.count_waiting() == 1
