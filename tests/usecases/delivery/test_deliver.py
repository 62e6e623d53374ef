"""The fence before a body: only claims that still hold get a permit, for a cautious time."""

import dataclasses
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import cast

import pytest
from msgspec.structs import replace

from gcsched.domain.job import LEASE, Job, State
from gcsched.domain.mail import Mail
from gcsched.domain.outcome import apply_attempt, make_attempt
from gcsched.domain.permit import Permit
from gcsched.domain.recipient_list import RecipientList
from gcsched.domain.retry import RetryPolicy
from gcsched.domain.smtp_reply import Answered, Kind, Reply, Stage, Withheld
from gcsched.errors import MalformedMail, Overloaded, Stopping, StoreUnavailable, TemplateProblem
from gcsched.usecases.batching import GroupCommit
from gcsched.usecases.delivery.deliver import ClaimedJob, Deliver, Fence
from gcsched.usecases.delivery.leases import Leases
from gcsched.usecases.ports import (
    Begin,
    Claims,
    Clock,
    Conclusion,
    MailComposer,
    SendResult,
    Transport,
)
from tests.support.background import in_background
from tests.support.builders import NOW, FixedClock, a_batch, a_claimed_job, an_attempt
from tests.support.clocks import SECOND, FakeMonotonicClock
from tests.support.engines import FakeComposer, FakeStore, has_settled


@dataclass
class FakeClaims:
    """The jobs that each claim holds; *requests* records what should begin."""

    claims: dict[str, set[str]]
    requests: list[tuple[str, set[str]]] = field(default_factory=list)
    dates: dict[str, datetime] = field(default_factory=dict)

    async def begin(self, token: str, ids: Sequence[str], *, date: datetime) -> Collection[str]:
        self.requests.append((token, set(ids)))
        self.dates |= dict.fromkeys(ids, date)
        return self.claims[token] & set(ids)


@dataclass
class SlowTransport:
    """Takes *seconds* to come to the body, and accepts the mail if it gets a permit."""

    clock: FixedClock
    seconds: float
    bodies: list[str] = field(default_factory=list)

    async def send(self, mail: Mail, begin: Begin) -> SendResult:
        self.clock.advance(timedelta(seconds=self.seconds))
        if await begin() is None:
            return SendResult(relay="", transmission=Withheld("no permit"))
        self.bodies.append(mail.recipient)
        return SendResult(relay="r", transmission=Answered(Reply(stage=Stage.BODY, code=250)))


def a_fence(
    ours: FakeClaims, now: Clock | None = None, *, lease_ends: Mapping[str, float] | None = None
) -> Fence:
    in_time = time.monotonic() + LEASE.total_seconds()
    ends = dict.fromkeys(ours.claims, in_time) if lease_ends is None else lease_ends
    return Fence(
        claims=cast("Claims", ours),
        find_lease_end=ends.__getitem__,
        settle_markers=has_settled,
        now=now or FixedClock(),
    )


async def test_a_body_begins_only_after_the_markers_of_the_mails_before_are_settled() -> None:
    steps = list[str]()

    async def settle() -> None:
        steps.append("settled")

    class Recording(FakeClaims):
        async def begin(self, token: str, ids: Sequence[str], *, date: datetime) -> Collection[str]:
            steps.append("begun")
            return await super().begin(token, ids, date=date)

    ours = Recording({"t": {"a", "b"}})
    claimed = [ClaimedJob(job=a_claimed_job(id=each), token="t") for each in ("a", "b")]

    permits = await dataclasses.replace(a_fence(ours), settle_markers=settle).begin(claimed)

    assert steps == ["settled", "begun"]
    assert None not in permits


async def test_only_a_claim_that_still_holds_gets_a_permit() -> None:
    ours = FakeClaims({"t1": {"a", "b"}, "t2": {"c"}})
    asking = [
        ClaimedJob(job=a_claimed_job(id=job_id), token=token)
        for token, job_id in [("t1", "a"), ("t2", "b"), ("t1", "x"), ("t2", "c"), ("t1", "b")]
    ]

    permits = await a_fence(ours).begin(asking)

    assert [permit is not None for permit in permits] == [True, False, False, True, True]
    assert sorted(ours.requests) == [("t1", {"a", "b", "x"}), ("t2", {"b", "c"})]


async def test_mails_get_the_present_second_in_one_write_and_keep_a_stored_date() -> None:
    ours = FakeClaims({"t": {"a", "b"}})
    stored = NOW - timedelta(days=1)
    asking = [
        ClaimedJob(job=a_claimed_job(id="a"), token="t"),
        ClaimedJob(job=a_claimed_job(id="b", date=stored), token="t"),
    ]

    permits = await a_fence(ours, FixedClock(NOW + 0.7 * SECOND)).begin(asking)

    assert [permit.date for permit in permits if permit is not None] == [NOW, stored]
    assert ours.requests == [("t", {"a", "b"})]
    assert ours.dates == {"a": NOW, "b": NOW}


async def test_a_mail_that_passes_the_fence_again_proposes_the_same_date() -> None:
    clock, ours = FixedClock(), FakeClaims({"t": {"a", "b"}})
    first, other = (ClaimedJob(job=a_claimed_job(id=name), token="t") for name in ("a", "b"))
    ask = a_fence(ours, clock)
    await ask.begin([first])
    clock.advance(SECOND)

    permits = await ask.begin([first, other])

    assert [permit.date for permit in permits if permit is not None] == [NOW, NOW + SECOND]
    assert ours.dates == {"a": NOW, "b": NOW + SECOND}


async def test_an_interrupted_delivery_has_the_date_of_its_permit_once_it_has_begun() -> None:
    clock, group = FixedClock(), a_group()
    deliver = a_deliver(group, clock, transport=Failing(ValueError("no"), begun=True))
    claimed, waiting = (ClaimedJob(job=a_claimed_job(), token="t") for _ in range(2))
    async with in_background(group.run):
        with pytest.raises(ValueError, match="no"):
            await deliver.deliver(claimed)

    assert deliver.conclude_interrupted(claimed).job.date == NOW
    assert deliver.conclude_crashed(claimed, ValueError("no")).job.date == NOW
    assert deliver.conclude_interrupted(waiting).job.date is None


async def test_a_stored_date_later_than_the_present_second_is_kept() -> None:
    """A clock was set back since the first mail left."""
    ours = FakeClaims({"t": {"a", "b"}})
    asking = [
        ClaimedJob(job=a_claimed_job(id="a"), token="t"),
        ClaimedJob(job=a_claimed_job(id="b", date=NOW + SECOND), token="t"),
    ]

    permits = await a_fence(ours).begin(asking)

    assert [permit.date for permit in permits if permit is not None] == [NOW, NOW + SECOND]
    assert ours.dates == {"a": NOW, "b": NOW + SECOND}


@pytest.fixture
def monotonic(monkeypatch: pytest.MonkeyPatch) -> FakeMonotonicClock:
    """The monotonic clock of a process; it goes on while the process is suspended."""
    clock = FakeMonotonicClock()
    for module in ("deliver", "leases"):
        fake = SimpleNamespace(monotonic=clock)
        monkeypatch.setattr(f"gcsched.usecases.delivery.{module}.time", fake)
    return clock


async def test_a_permit_ends_five_seconds_before_the_lease_that_this_process_knows(
    monotonic: FakeMonotonicClock,
) -> None:
    ours = FakeClaims({"t1": {"a"}, "t2": {"b"}})
    lease_ends = {"t1": monotonic.now + 30, "t2": monotonic.now + 7}

    permits = await a_fence(ours, lease_ends=lease_ends).begin(
        [
            ClaimedJob(job=a_claimed_job(id=name), token=token)
            for name, token in (("a", "t1"), ("b", "t2"))
        ]
    )

    assert [permit and permit.until - monotonic.now for permit in permits] == [25, 2]


@pytest.mark.parametrize("left", [5.0, 0.0, -40.0])
async def test_a_job_with_too_little_of_its_lease_left_is_neither_marked_nor_sent(
    monotonic: FakeMonotonicClock, left: float
) -> None:
    """Marked, it would be UNCERTAIN if the process died now, though nothing had left."""
    ours = FakeClaims({"ending": {"a"}, "t": {"b"}})
    lease_ends = {"ending": monotonic.now + left, "t": monotonic.now + 30}
    group = GroupCommit(a_fence(ours, lease_ends=lease_ends).begin)
    deliver = a_deliver(group, FixedClock())
    ending, other = (
        ClaimedJob(job=a_claimed_job(id=name), token=token)
        for name, token in (("a", "ending"), ("b", "t"))
    )

    async with in_background(group.run):
        back = (await deliver.deliver(ending)).job
        sent = (await deliver.deliver(other)).job

    assert (back.state, back.attempt, back.attempts) == (State.SCHEDULED, 0, ())
    assert ending.begun is None
    assert sent.state is State.SENT
    assert ours.requests == [("t", {"b"})]


async def test_a_process_that_was_suspended_past_its_lease_sends_nothing_until_it_renewed(
    monotonic: FakeMonotonicClock,
) -> None:
    store = FakeStore()
    leases = Leases(store, capacity=10)
    fence = Fence(
        claims=store,
        find_lease_end=leases.find_end,
        settle_markers=has_settled,
        now=FixedClock(),
    )
    claimed = ClaimedJob(job=a_claimed_job(), token="t")
    leases.add(dataclasses.replace(a_batch(claimed.job, claim="t"), lease_end=monotonic.now + 30))

    [before] = await fence.begin([claimed])
    monotonic.now += 40
    [suspended] = await fence.begin([claimed])
    await leases.renew()  # the claim is still there: no sweep has taken it back
    [renewed] = await fence.begin([claimed])

    assert before is not None
    assert before.until < monotonic.now, "a permit from before must not be used"
    assert suspended is None
    assert renewed is not None
    assert renewed.until == monotonic.now + 25


@pytest.mark.parametrize(
    ("seconds", "state", "bodies"), [(5, State.SENT, 1), (15, State.SCHEDULED, 0)]
)
async def test_a_mail_that_expires_before_its_body_is_not_sent(
    seconds: float, state: State, bodies: int
) -> None:
    clock = FixedClock()
    relay = SlowTransport(clock=clock, seconds=seconds)
    group: GroupCommit[ClaimedJob, Permit | None] = GroupCommit(
        a_fence(FakeClaims({"t": {"job-1"}})).begin
    )
    deliver = Deliver(
        composer=FakeComposer(),
        transport=relay,
        fence=group,
        policy=RetryPolicy(),
        now=clock,
        chance=lambda: 0.5,
    )
    job = a_claimed_job(expire_time=NOW + 10 * SECOND)

    async with in_background(group.run):
        conclusion = await deliver.deliver(ClaimedJob(job=job, token="t"))

    assert conclusion.job.state is state
    assert (len(relay.bodies), conclusion.job.attempt) == (bodies, bodies)


@dataclass
class Failing:
    """A composer and a transport that raise *error*; the transport after it has *begun*."""

    error: Exception
    begun: bool = False

    def compose(self, _: Job) -> Mail:
        raise self.error

    async def send(self, _: Mail, begin: Begin) -> SendResult:
        if self.begun:
            await begin()
        raise self.error


def a_deliver(
    group: GroupCommit[ClaimedJob, Permit | None],
    clock: FixedClock,
    *,
    composer: MailComposer | None = None,
    transport: Transport | None = None,
) -> Deliver:
    return Deliver(
        composer=composer or FakeComposer(),
        transport=transport or SlowTransport(clock=clock, seconds=0),
        fence=group,
        policy=RetryPolicy(),
        now=clock,
        chance=lambda: 0.5,
    )


def a_group() -> GroupCommit[ClaimedJob, Permit | None]:
    return GroupCommit(a_fence(FakeClaims({"t": {"job-1"}})).begin)


def refuse_to_draw() -> float:
    raise AssertionError("the outcome of an accepted mail is not a matter of chance")


async def test_a_job_whose_address_is_not_allowed_is_neither_composed_nor_sent() -> None:
    group = a_group()
    unused = Failing(AssertionError("no mail and no conversation"))
    deliver = dataclasses.replace(
        a_deliver(group, FixedClock(), composer=unused, transport=unused),
        allowed=RecipientList.parse("example.com"),
    )
    claimed = ClaimedJob(job=a_claimed_job(), token="t")

    ended = (await deliver.deliver(claimed)).job
    postponed = deliver.postpone(claimed, NOW + SECOND).job

    assert ended.state is postponed.state is State.FAILED
    assert "GCSCHED_ALLOWED_RECIPIENTS" in ended.reason
    assert (ended.attempt, ended.attempts) == (0, ())


async def test_a_note_is_added_to_the_text_of_an_attempt() -> None:
    group = a_group()
    deliver = dataclasses.replace(a_deliver(group, FixedClock()), note="redirected")

    async with in_background(group.run):
        sent = (await deliver.deliver(ClaimedJob(job=a_claimed_job(), token="t"))).job

    assert sent.state is State.SENT
    assert sent.attempts[-1].text == "250 at BODY:  (redirected)"


LOST = an_attempt(kind=Kind.UNCERTAIN, code=None)


@pytest.mark.parametrize(
    "job",
    [
        a_claimed_job(),
        a_claimed_job(attempt=3, attempts=(an_attempt(), LOST), date=NOW - SECOND, dedup_key=None),
        a_claimed_job(attempts=(LOST, *[an_attempt()] * 49), released_key="key-0", reason="busy"),
    ],
    ids=["new", "tried", "full history"],
)
async def test_an_accepted_mail_ends_as_the_policy_decides_without_asking_it(job: Job) -> None:
    group = a_group()
    deliver = dataclasses.replace(a_deliver(group, FixedClock()), chance=refuse_to_draw)

    async with in_background(group.run):
        conclusion = await deliver.deliver(ClaimedJob(job=job, token="t"))

    accepted = Answered(Reply(stage=Stage.BODY, code=250))
    date = job.date or NOW
    attempt = make_attempt(accepted, relay="r", start_time=NOW, end_time=NOW, date=date)
    decided = apply_attempt(job, attempt, policy=RetryPolicy(), chance=0.5)
    assert conclusion == Conclusion(claim="t", job=decided)


@pytest.mark.parametrize(
    "error", [ValueError("an odd value"), TemplateProblem("doc.html", 1, "no such variable")]
)
async def test_a_mail_that_cannot_be_composed_fails_with_its_reason(error: Exception) -> None:
    deliver = a_deliver(a_group(), FixedClock(), composer=Failing(error))

    job = (await deliver.deliver(ClaimedJob(job=a_claimed_job(), token="t"))).job

    assert (job.state, job.reason) == (State.FAILED, str(error))


async def test_a_malformed_mail_fails_with_its_reason() -> None:
    problem = MalformedMail("the envelope names no recipient")
    deliver = a_deliver(a_group(), FixedClock(), transport=Failing(problem))

    job = (await deliver.deliver(ClaimedJob(job=a_claimed_job(), token="t"))).job

    assert (job.state, job.reason) == (State.FAILED, "the envelope names no recipient")


@pytest.mark.parametrize("error", [StoreUnavailable("beginning"), Stopping(), Overloaded(9)])
async def test_a_fence_that_is_away_or_full_gives_the_job_back(error: Exception) -> None:
    deliver = a_deliver(a_group(), FixedClock(), transport=Failing(error))

    job = (await deliver.deliver(ClaimedJob(job=a_claimed_job(), token="t"))).job

    assert (job.state, job.attempt, job.attempts) == (State.SCHEDULED, 0, ())


@pytest.mark.parametrize("error", [ValueError("invalid literal"), TypeError(), LookupError()])
async def test_a_defect_in_sending_is_not_charged_to_the_mail(error: Exception) -> None:
    deliver = a_deliver(a_group(), FixedClock(), transport=Failing(error))

    with pytest.raises(type(error)):
        await deliver.deliver(ClaimedJob(job=a_claimed_job(), token="t"))


async def test_repeated_defects_before_the_body_use_up_no_attempt() -> None:
    clock, waits = FixedClock(), []
    deliver = a_deliver(a_group(), clock)
    job = a_claimed_job()

    for _ in range(20):
        job = deliver.conclude_crashed(ClaimedJob(job=job, token="t"), ValueError("no")).job
        waits.append((job.due_time - clock()).total_seconds())
        clock.now = job.due_time
        job = replace(job, state=State.SENDING)

    assert (job.attempt, job.reason) == (0, "internal error: ValueError")
    assert waits[:5] == [1, 1, 2, 4, 8]
    assert max(waits) == 30


async def test_a_defect_after_the_body_began_leaves_the_mail_uncertain() -> None:
    clock = FixedClock()
    group = a_group()
    deliver = a_deliver(group, clock, transport=Failing(ValueError("no"), begun=True))
    claimed = ClaimedJob(job=a_claimed_job(), token="t")
    async with in_background(group.run):
        with pytest.raises(ValueError, match="no"):
            await deliver.deliver(claimed)

    job = deliver.conclude_crashed(claimed, ValueError("no")).job

    assert [attempt.kind for attempt in job.attempts] == [Kind.UNCERTAIN]
    assert job.attempt == 1
