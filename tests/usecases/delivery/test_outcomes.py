import asyncio
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from gcsched.domain.job import Job, State
from gcsched.domain.smtp_reply import Kind
from gcsched.errors import StoreUnavailable
from gcsched.usecases.delivery.outcomes import Recorder
from gcsched.usecases.ports import Conclusion
from tests.support.builders import (
    NOW,
    a_claimed_job,
    a_conclusion,
    a_suppression,
    an_attempt,
    running,
)
from tests.support.log_events import Events
from tests.support.wait import until


class ToyOutcomes:
    """Keeps what was concluded, group by group; can be away, and can say that a claim was lost."""

    def __init__(self) -> None:
        self.tries = 0
        self.groups: list[list[Conclusion]] = []
        self.lost: list[Conclusion] = []
        self.is_away = False
        self.gate = asyncio.Event()
        self.gate.set()

    async def conclude(self, conclusions: Sequence[Conclusion]) -> Collection[Conclusion]:
        self.tries += 1
        await self.gate.wait()
        if self.is_away:
            raise StoreUnavailable("writing outcomes")
        self.groups.append(list(conclusions))
        return self.lost


@pytest.fixture
async def outcomes() -> ToyOutcomes:
    return ToyOutcomes()


@pytest.fixture
def settled() -> list[Conclusion]:
    return []


@pytest.fixture
def recorder(outcomes: ToyOutcomes, settled: list[Conclusion]) -> Recorder:
    return Recorder(outcomes, on_recorded=settled.append)


def conclusions(count: int) -> list[Conclusion]:
    job = a_claimed_job().sent(an_attempt())
    return [a_conclusion(job, claim=f"claim-{number}") for number in range(count)]


async def test_what_is_recorded_is_written_and_settled(
    recorder: Recorder, outcomes: ToyOutcomes, settled: list[Conclusion]
) -> None:
    async with running(recorder.run):
        recorder.record(a_conclusion())
        await until(lambda: settled)

    assert outcomes.groups == [[a_conclusion()]]
    assert settled == [a_conclusion()]


async def test_nothing_is_settled_before_the_store_has_it(
    recorder: Recorder, outcomes: ToyOutcomes, settled: list[Conclusion]
) -> None:
    outcomes.gate.clear()

    async with running(recorder.run):
        recorder.record(a_conclusion())
        await until(lambda: outcomes.tries)
        settled_meanwhile = list(settled)
        outcomes.gate.set()

    assert settled_meanwhile == []
    assert settled == [a_conclusion()]


async def test_what_comes_while_a_write_runs_shares_the_next(
    recorder: Recorder, outcomes: ToyOutcomes, settled: list[Conclusion]
) -> None:
    first, *others = conclusions(4)
    outcomes.gate.clear()

    async with running(recorder.run):
        recorder.record(first)
        await until(lambda: outcomes.tries)
        for conclusion in others:
            recorder.record(conclusion)
        outcomes.gate.set()
        await until(lambda: len(settled) == 4)

    assert outcomes.groups == [[first], others]


async def test_what_comes_while_it_is_busy_is_collected_for_a_moment(
    recorder: Recorder, outcomes: ToyOutcomes, settled: list[Conclusion]
) -> None:
    first, second, *others = conclusions(6)
    outcomes.gate.clear()

    async with running(recorder.run):
        recorder.record(first)
        await until(lambda: outcomes.tries)
        recorder.record(second)
        outcomes.gate.set()
        await until(lambda: settled)
        for conclusion in others:
            recorder.record(conclusion)
        await until(lambda: len(settled) == 6)

    assert outcomes.groups == [[first], [second, *others]]


async def test_a_write_has_at_most_500(
    recorder: Recorder, outcomes: ToyOutcomes, settled: list[Conclusion]
) -> None:
    many = conclusions(1201)

    async with running(recorder.run):
        for conclusion in many:
            recorder.record(conclusion)

    assert [len(group) for group in outcomes.groups] == [500, 500, 201]
    assert settled == many


async def test_a_store_that_is_away_is_tried_until_it_takes_them(
    recorder: Recorder,
    outcomes: ToyOutcomes,
    settled: list[Conclusion],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gcsched.usecases.delivery.outcomes.BETWEEN_TRIES_SECONDS", 0.001)
    outcomes.is_away = True
    both = conclusions(2)

    async with running(recorder.run):
        recorder.record(both[0])
        await until(lambda: outcomes.tries >= 3)
        recorder.record(both[1])
        settled_meanwhile = list(settled)
        outcomes.is_away = False
        await until(lambda: len(settled) == 2)

    assert settled_meanwhile == []
    assert settled == both


async def test_a_stop_waits_until_everything_is_written(
    recorder: Recorder,
    outcomes: ToyOutcomes,
    settled: list[Conclusion],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gcsched.usecases.delivery.outcomes.BETWEEN_TRIES_SECONDS", 0.001)
    outcomes.is_away = True
    both = conclusions(2)

    async with running(recorder.run) as stop:
        recorder.record(both[0])
        await until(lambda: outcomes.tries)
        stop.set()
        recorder.record(both[1])
        outcomes.is_away = False

    assert settled == both


async def test_what_waits_is_written_even_when_the_stop_came_first(
    recorder: Recorder, settled: list[Conclusion]
) -> None:
    recorder.record(a_conclusion())
    stop = asyncio.Event()
    stop.set()

    await recorder.run(stop)

    assert settled == [a_conclusion()]


async def test_a_stop_with_nothing_waiting_writes_nothing(
    recorder: Recorder, outcomes: ToyOutcomes
) -> None:
    async with running(recorder.run):
        pass

    assert outcomes.tries == 0


async def test_a_claim_that_was_lost_is_settled_too_and_told(
    recorder: Recorder, outcomes: ToyOutcomes, settled: list[Conclusion], events: Events
) -> None:
    outcomes.lost = [replace(a_conclusion(), instead="RETRYING")]

    async with running(recorder.run):
        recorder.record(a_conclusion())
        await until(lambda: settled)

    assert events == [
        {
            "event": "claim lost",
            "log_level": "warning",
            "job_id": "job-1",
            "state": "SENT",
            "instead": "RETRYING",
        }
    ]


async def test_a_claim_that_was_withdrawn_before_anything_was_sent_alarms_nobody(
    recorder: Recorder, outcomes: ToyOutcomes, settled: list[Conclusion], events: Events
) -> None:
    given_back = a_conclusion(a_claimed_job(attempts=(an_attempt(),)).given_back(LATER))
    outcomes.lost = [replace(given_back, instead="CANCELLED")]

    async with running(recorder.run):
        recorder.record(given_back)
        await until(lambda: settled)

    assert events == [
        {
            "event": "claim lost",
            "log_level": "info",
            "job_id": "job-1",
            "state": "RETRYING",
            "instead": "CANCELLED",
        }
    ]


async def test_of_two_claims_of_one_job_the_lost_one_is_told(
    recorder: Recorder, outcomes: ToyOutcomes, settled: list[Conclusion], events: Events
) -> None:
    ours = a_conclusion(a_claimed_job().failed(an_attempt(), reason="no"), claim="claim-2")
    outcomes.lost = [a_conclusion()]

    async with running(recorder.run):
        recorder.record(a_conclusion())
        recorder.record(ours)
        await until(lambda: len(settled) == 2)

    assert [event["event"] for event in events] == ["claim lost", "job failed"]


LATER = NOW + timedelta(minutes=1)


@pytest.mark.parametrize(
    ("job", "expected"),
    [
        (
            a_claimed_job().sent(an_attempt(kind=Kind.ACCEPTED, code=250)),
            {
                "event": "job sent",
                "log_level": "info",
                "attempt": 1,
                "relay": "smtp.example.org",
                "late_seconds": 1.0,
            },
        ),
        (
            a_claimed_job().sent(an_attempt(kind=Kind.UNCERTAIN)),
            {"event": "job sent", "log_level": "info", "attempt": 1},
        ),
        (
            a_claimed_job().failed(an_attempt(), reason="550 at RCPT: no"),
            {
                "event": "job failed",
                "log_level": "warning",
                "attempt": 1,
                "reason": "550 at RCPT: no",
            },
        ),
        (
            a_claimed_job().expired(an_attempt(), reason="not sent by noon", charged=True),
            {
                "event": "job expired",
                "log_level": "warning",
                "attempt": 1,
                "reason": "not sent by noon",
            },
        ),
        (
            a_claimed_job().passed_over(State.SUPPRESSED, NOW, reason="no such user"),
            {
                "event": "job suppressed",
                "log_level": "warning",
                "attempt": 0,
                "reason": "no such user",
            },
        ),
        (
            a_claimed_job().held(an_attempt(), reason="reply lost"),
            {"event": "job held uncertain", "log_level": "warning", "reason": "reply lost"},
        ),
        (
            a_claimed_job().retried(an_attempt(), due=LATER, charged=True),
            {
                "event": "job postponed",
                "log_level": "warning",
                "attempt": 1,
                "until": "2026-07-01T12:01:00+00:00",
                "reason": "450 at RCPT: busy",
            },
        ),
        (
            a_claimed_job().given_back(NOW),
            {"event": "job given back", "log_level": "debug"},
        ),
        (
            a_claimed_job().retried(an_attempt(kind=Kind.OURS), due=LATER, charged=False),
            {
                "event": "job postponed",
                "log_level": "info",
                "attempt": 0,
                "until": "2026-07-01T12:01:00+00:00",
                "reason": "450 at RCPT: busy",
            },
        ),
    ],
    ids=lambda value: value.state if isinstance(value, Job) else "",
)
async def test_each_outcome_is_one_event(
    recorder: Recorder,
    settled: list[Conclusion],
    events: Events,
    job: Job,
    expected: dict[str, object],
) -> None:
    async with running(recorder.run):
        recorder.record(a_conclusion(job))
        await until(lambda: settled)

    assert events == [{"job_id": "job-1", **expected}]


@pytest.mark.parametrize(
    ("said", "logged"),
    [
        (
            "550 5.1.1 at RCPT: <Ada@example.org>: unknown",
            "550 5.1.1 at RCPT: <(address)>: unknown",
        ),
        ('no "ada k"@xn--caf-dma.example here', "no (address) here"),
        ("ada@example.org", "(address)"),
        ("nothing to hide", "nothing to hide"),
        (
            "550 5.7.1 at BODY: 'Stand-up' for ADA is spam",
            "550 5.7.1 at BODY: '(hidden)' for (hidden) is spam",
        ),
        ("550 at RCPT: ada... unknown", "550 at RCPT: (hidden)... unknown"),
    ],
)
async def test_what_a_relay_repeats_of_the_mail_is_not_logged(
    recorder: Recorder, settled: list[Conclusion], events: Events, said: str, logged: str
) -> None:
    failed = a_claimed_job().failed(an_attempt(), reason=said)

    async with running(recorder.run):
        recorder.record(a_conclusion(failed))
        await until(lambda: settled)

    assert events[0]["reason"] == logged


@pytest.mark.parametrize("state", [State.UNCERTAIN, State.RETRYING, State.EXPIRED])
async def test_every_outcome_is_logged_without_the_words_of_the_mail(
    recorder: Recorder, settled: list[Conclusion], events: Events, state: State
) -> None:
    attempt = an_attempt(text="451 at BODY: 'Stand-up' waits")
    ends = {
        State.UNCERTAIN: a_claimed_job().held(attempt, reason=attempt.text),
        State.RETRYING: a_claimed_job().retried(attempt, due=LATER, charged=True),
        State.EXPIRED: a_claimed_job().expired(attempt, reason=attempt.text, charged=True),
    }

    async with running(recorder.run):
        recorder.record(a_conclusion(ends[state]))
        await until(lambda: settled)

    assert events[0]["reason"] == "451 at BODY: '(hidden)' waits"
    assert ends[state].attempts[-1].text == attempt.text


async def test_what_blocked_an_address_is_not_logged_with_each_mail_to_it(
    recorder: Recorder, settled: list[Conclusion], events: Events
) -> None:
    """It may be a relay's words on another mail, or a caller's."""
    blocked = a_suppression(reason="550 5.7.1 at BODY: 'Another subject' is spam")
    suppressed = a_claimed_job().passed_over(State.SUPPRESSED, NOW, reason=str(blocked))

    async with running(recorder.run):
        recorder.record(a_conclusion(suppressed))
        await until(lambda: settled)

    assert events[0]["reason"] == "the address is blocked until 2026-07-31, since job job-0"
