"""The last look before a body: only what is still ours, for a time that was told cautiously."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import cast

import pytest

from gcsched.domain.job import LEASE, LEASE_LEFT_AT_BODY, Job, State
from gcsched.domain.mail import Mail
from gcsched.domain.permit import Permit
from gcsched.domain.retry import RetryPolicy
from gcsched.domain.smtp_reply import Answered, Kind, Reply, Stage, Withheld
from gcsched.errors import MalformedMail, Overloaded, Stopping, StoreUnavailable, TemplateProblem
from gcsched.usecases.batching import Group
from gcsched.usecases.delivery.deliver import Claimed, Deliver, Fence
from gcsched.usecases.ports import Begin, Carried, Carrier, Claims, Clock, Composer
from tests.support.background import in_background
from tests.support.builders import NOW, FixedClock, a_claimed_job
from tests.support.clocks import SECOND
from tests.support.engines import ToyComposer


@dataclass
class Ours:
    """What the store has under each claim; *asked* is what it was asked to begin."""

    claims: dict[str, set[str]]
    asked: list[tuple[str, set[str]]] = field(default_factory=list)
    dates: dict[str, datetime] = field(default_factory=dict)

    async def begin(self, token: str, ids: Sequence[str], *, date: datetime) -> Collection[str]:
        self.asked.append((token, set(ids)))
        self.dates |= dict.fromkeys(ids, date)
        return self.claims[token] & set(ids)


@dataclass
class SlowRelay:
    """Takes *seconds* to come to the body, and accepts what it may have."""

    clock: FixedClock
    seconds: float
    bodies: list[str] = field(default_factory=list)

    async def carry(self, mail: Mail, begin: Begin) -> Carried:
        self.clock.forward(timedelta(seconds=self.seconds))
        if await begin() is None:
            return Carried(relay="", transmission=Withheld("no permit"))
        self.bodies.append(mail.recipient)
        return Carried(relay="r", transmission=Answered(Reply(stage=Stage.BODY, code=250)))


def fence(ours: Ours, now: Clock | None = None) -> Fence:
    return Fence(claims=cast("Claims", ours), now=now or FixedClock())


async def test_only_what_is_still_ours_gets_a_permit() -> None:
    ours = Ours({"t1": {"a", "b"}, "t2": {"c"}})
    asking = [
        Claimed(job=a_claimed_job(id=job_id), token=token)
        for token, job_id in [("t1", "a"), ("t2", "b"), ("t1", "x"), ("t2", "c"), ("t1", "b")]
    ]

    permits = await fence(ours)(asking)

    assert [permit is not None for permit in permits] == [True, False, False, True, True]
    assert sorted(ours.asked) == [("t1", {"a", "b", "x"}), ("t2", {"b", "c"})]


async def test_mails_get_the_present_second_in_one_write_and_keep_a_stored_date() -> None:
    ours = Ours({"t": {"a", "b"}})
    stored = NOW - timedelta(days=1)
    asking = [
        Claimed(job=a_claimed_job(id="a"), token="t"),
        Claimed(job=a_claimed_job(id="b", date=stored), token="t"),
    ]

    permits = await fence(ours, FixedClock(NOW + 0.7 * SECOND))(asking)

    assert [permit.date for permit in permits if permit is not None] == [NOW, stored]
    assert ours.asked == [("t", {"a", "b"})]
    assert ours.dates == {"a": NOW, "b": NOW}


async def test_a_mail_that_asks_again_proposes_the_date_that_it_has_proposed_before() -> None:
    clock, ours = FixedClock(), Ours({"t": {"a", "b"}})
    first, other = (Claimed(job=a_claimed_job(id=name), token="t") for name in ("a", "b"))
    ask = fence(ours, clock)
    await ask([first])
    clock.forward(SECOND)

    permits = await ask([first, other])

    assert [permit.date for permit in permits if permit is not None] == [NOW, NOW + SECOND]
    assert ours.dates == {"a": NOW, "b": NOW + SECOND}


async def test_a_delivery_that_is_cut_off_has_the_date_of_its_permit_once_it_has_begun() -> None:
    clock, group = FixedClock(), a_group()
    deliver = a_deliver(group, clock, carrier=Failing(ValueError("no"), begun=True))
    claimed, waiting = (Claimed(job=a_claimed_job(), token="t") for _ in range(2))
    async with in_background(group.run):
        with pytest.raises(ValueError, match="no"):
            await deliver(claimed)

    assert deliver.interrupted(claimed).job.date == NOW
    assert deliver.broken(claimed, ValueError("no")).job.date == NOW
    assert deliver.interrupted(waiting).job.date is None


async def test_a_permit_counts_from_before_the_store_was_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    moments = iter([100.0, 120.0])
    fake = SimpleNamespace(monotonic=lambda: next(moments))
    monkeypatch.setattr("gcsched.usecases.delivery.deliver.time", fake)

    [permit] = await fence(Ours({"t": {"job-1"}}))([Claimed(job=a_claimed_job(), token="t")])

    assert permit is not None
    assert permit.until == 100.0 + (LEASE - LEASE_LEFT_AT_BODY).total_seconds()


@pytest.mark.parametrize(
    ("seconds", "state", "bodies"), [(5, State.SENT, 1), (15, State.SCHEDULED, 0)]
)
async def test_a_mail_whose_time_is_over_before_its_body_is_not_sent(
    seconds: float, state: State, bodies: int
) -> None:
    clock = FixedClock()
    relay = SlowRelay(clock=clock, seconds=seconds)
    group: Group[Claimed, Permit | None] = Group(fence(Ours({"t": {"job-1"}})))
    deliver = Deliver(
        composer=ToyComposer(),
        carrier=relay,
        fence=group,
        policy=RetryPolicy(),
        now=clock,
        chance=lambda: 0.5,
    )
    job = a_claimed_job(expire_time=NOW + 10 * SECOND)

    async with in_background(group.run):
        conclusion = await deliver(Claimed(job=job, token="t"))

    assert conclusion.job.state is state
    assert (len(relay.bodies), conclusion.job.attempt) == (bodies, bodies)


@dataclass
class Failing:
    """A composer and a relay that raise *error*, the relay after it has *begun*."""

    error: Exception
    begun: bool = False

    def compose(self, _: Job) -> Mail:
        raise self.error

    async def carry(self, _: Mail, begin: Begin) -> Carried:
        if self.begun:
            await begin()
        raise self.error


def a_deliver(
    group: Group[Claimed, Permit | None],
    clock: FixedClock,
    *,
    composer: Composer | None = None,
    carrier: Carrier | None = None,
) -> Deliver:
    return Deliver(
        composer=composer or ToyComposer(),
        carrier=carrier or SlowRelay(clock=clock, seconds=0),
        fence=group,
        policy=RetryPolicy(),
        now=clock,
        chance=lambda: 0.5,
    )


def a_group() -> Group[Claimed, Permit | None]:
    return Group(fence(Ours({"t": {"job-1"}})))


@pytest.mark.parametrize(
    "error", [ValueError("an odd value"), TemplateProblem("doc.html", 1, "no such variable")]
)
async def test_what_cannot_be_composed_fails_with_its_reason(error: Exception) -> None:
    deliver = a_deliver(a_group(), FixedClock(), composer=Failing(error))

    job = (await deliver(Claimed(job=a_claimed_job(), token="t"))).job

    assert (job.state, job.reason) == (State.FAILED, str(error))


async def test_a_malformed_mail_fails_with_its_reason() -> None:
    problem = MalformedMail("the envelope names no recipient")
    deliver = a_deliver(a_group(), FixedClock(), carrier=Failing(problem))

    job = (await deliver(Claimed(job=a_claimed_job(), token="t"))).job

    assert (job.state, job.reason) == (State.FAILED, "the envelope names no recipient")


@pytest.mark.parametrize("error", [StoreUnavailable("beginning"), Stopping(), Overloaded(9)])
async def test_what_is_away_or_full_gives_the_job_back(error: Exception) -> None:
    deliver = a_deliver(a_group(), FixedClock(), carrier=Failing(error))

    job = (await deliver(Claimed(job=a_claimed_job(), token="t"))).job

    assert (job.state, job.attempt, job.attempts) == (State.SCHEDULED, 0, ())


@pytest.mark.parametrize("error", [ValueError("invalid literal"), TypeError(), LookupError()])
async def test_a_defect_in_carrying_is_no_fault_of_the_mail(error: Exception) -> None:
    deliver = a_deliver(a_group(), FixedClock(), carrier=Failing(error))

    with pytest.raises(type(error)):
        await deliver(Claimed(job=a_claimed_job(), token="t"))


async def test_a_defect_before_the_body_uses_up_no_attempt_however_often_it_comes() -> None:
    clock, waits = FixedClock(), []
    deliver = a_deliver(a_group(), clock)
    job = a_claimed_job()

    for _ in range(20):
        job = deliver.broken(Claimed(job=job, token="t"), ValueError("no")).job
        waits.append((job.due_time - clock()).total_seconds())
        clock.now = job.due_time
        job = replace(job, state=State.SENDING)

    assert (job.attempt, job.reason) == (0, "internal error: ValueError")
    assert waits[:5] == [1, 1, 2, 4, 8]
    assert max(waits) == 30


async def test_a_defect_after_the_body_began_leaves_the_mail_uncertain() -> None:
    clock = FixedClock()
    group = a_group()
    deliver = a_deliver(group, clock, carrier=Failing(ValueError("no"), begun=True))
    claimed = Claimed(job=a_claimed_job(), token="t")
    async with in_background(group.run):
        with pytest.raises(ValueError, match="no"):
            await deliver(claimed)

    job = deliver.broken(claimed, ValueError("no")).job

    assert [attempt.kind for attempt in job.attempts] == [Kind.UNCERTAIN]
    assert job.attempt == 1
