"""The last look before a body: only what is still ours, for a time that was told cautiously."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from types import SimpleNamespace
from typing import cast

import pytest

from gcsched.domain.job import LEASE, LEASE_LEFT_AT_BODY, Job, State
from gcsched.domain.mail import Mail
from gcsched.domain.replies import Answered, Reply, Stage, Withheld
from gcsched.domain.retry import RetryPolicy
from gcsched.usecases.deliver import Claimed, Deliver, Fence
from gcsched.usecases.group import Group
from gcsched.usecases.ports import Begin, Carried, Claims, Permit
from tests.builders import NOW, FixedClock, a_claimed_job, running
from tests.mails import a_mail

SECOND = timedelta(seconds=1)


@dataclass
class Ours:
    """What the store has under each claim; *asked* is what it was asked to begin."""

    claims: dict[str, set[str]]
    asked: list[tuple[str, set[str]]] = field(default_factory=list)

    async def begin(self, token: str, ids: Sequence[str]) -> Collection[str]:
        self.asked.append((token, set(ids)))
        return self.claims[token] & set(ids)


class Letters:
    def compose(self, job: Job) -> Mail:
        return a_mail(recipient=job.email)


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


def fence(ours: Ours) -> Fence:
    return Fence(claims=cast("Claims", ours))


async def test_only_what_is_still_ours_gets_a_permit() -> None:
    ours = Ours({"t1": {"a", "b"}, "t2": {"c"}})
    asking = [
        Claimed(job=a_claimed_job(id=job_id), token=token)
        for token, job_id in [("t1", "a"), ("t2", "b"), ("t1", "x"), ("t2", "c"), ("t1", "b")]
    ]

    permits = await fence(ours)(asking)

    assert [permit is not None for permit in permits] == [True, False, False, True, True]
    assert sorted(ours.asked) == [("t1", {"a", "b", "x"}), ("t2", {"b", "c"})]


async def test_a_permit_counts_from_before_the_store_was_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    moments = iter([100.0, 120.0])
    fake = SimpleNamespace(monotonic=lambda: next(moments))
    monkeypatch.setattr("gcsched.usecases.deliver.time", fake)

    [permit] = await fence(Ours({"t": {"job-1"}}))([Claimed(job=a_claimed_job(), token="t")])

    assert permit == 100.0 + (LEASE - LEASE_LEFT_AT_BODY).total_seconds()


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
        composer=Letters(),
        carrier=relay,
        fence=group,
        policy=RetryPolicy(),
        now=clock,
        chance=lambda: 0.5,
    )
    job = a_claimed_job(not_after=NOW + 10 * SECOND)

    async with running(group.run):
        conclusion = await deliver(Claimed(job=job, token="t"))

    assert conclusion.job.state is state
    assert (len(relay.bodies), conclusion.job.attempt) == (bodies, bodies)
