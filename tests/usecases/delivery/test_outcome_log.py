"""What is logged of each outcome, and what is not."""

import pytest

from gcsched.domain.job import Job, State
from gcsched.domain.smtp_reply import Kind
from gcsched.usecases.delivery.outcomes import OutcomeRecorder
from gcsched.usecases.ports import Conclusion
from tests.support.background import in_background
from tests.support.builders import (
    NOW,
    a_claimed_job,
    a_conclusion,
    a_suppression,
    an_attempt,
)
from tests.support.log_events import Events
from tests.support.outcomes import LATER
from tests.support.wait import until


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
            a_claimed_job().skipped(State.SUPPRESSED, NOW, reason="no such user"),
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
            a_claimed_job().retried(an_attempt(), due_time=LATER, charged=True),
            {
                "event": "job postponed",
                "log_level": "warning",
                "attempt": 1,
                "until": "2026-07-01T12:01:00+00:00",
                "reason": "450 at RCPT: busy",
            },
        ),
        (
            a_claimed_job().unclaimed(NOW),
            {"event": "job given back", "log_level": "debug"},
        ),
        (
            a_claimed_job().retried(an_attempt(kind=Kind.RELAY), due_time=LATER, charged=False),
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
    recorder: OutcomeRecorder,
    conclusion_log: list[Conclusion],
    events: Events,
    job: Job,
    expected: dict[str, object],
) -> None:
    async with in_background(recorder.run):
        recorder.record(a_conclusion(job))
        await until(lambda: conclusion_log)

    assert events == [{"job_id": "job-1", **expected}]


@pytest.mark.parametrize(
    ("reason", "logged"),
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
async def test_text_of_the_mail_in_a_relays_reply_is_not_logged(
    recorder: OutcomeRecorder,
    conclusion_log: list[Conclusion],
    events: Events,
    reason: str,
    logged: str,
) -> None:
    failed = a_claimed_job().failed(an_attempt(), reason=reason)

    async with in_background(recorder.run):
        recorder.record(a_conclusion(failed))
        await until(lambda: conclusion_log)

    assert events[0]["reason"] == logged


@pytest.mark.parametrize("state", [State.UNCERTAIN, State.RETRYING, State.EXPIRED])
async def test_every_outcome_is_logged_without_the_text_of_the_mail(
    recorder: OutcomeRecorder, conclusion_log: list[Conclusion], events: Events, state: State
) -> None:
    attempt = an_attempt(text="451 at BODY: 'Stand-up' waits")
    ends = {
        State.UNCERTAIN: a_claimed_job().held(attempt, reason=attempt.text),
        State.RETRYING: a_claimed_job().retried(attempt, due_time=LATER, charged=True),
        State.EXPIRED: a_claimed_job().expired(attempt, reason=attempt.text, charged=True),
    }

    async with in_background(recorder.run):
        recorder.record(a_conclusion(ends[state]))
        await until(lambda: conclusion_log)

    assert events[0]["reason"] == "451 at BODY: '(hidden)' waits"
    assert ends[state].attempts[-1].text == attempt.text


async def test_the_reason_of_a_suppression_is_not_logged_with_each_mail(
    recorder: OutcomeRecorder, conclusion_log: list[Conclusion], events: Events
) -> None:
    """It may be a relay's reply to another mail, or the text of a caller."""
    blocked = a_suppression(reason="550 5.7.1 at BODY: 'Another subject' is spam")
    suppressed = a_claimed_job().skipped(State.SUPPRESSED, NOW, reason=str(blocked))

    async with in_background(recorder.run):
        recorder.record(a_conclusion(suppressed))
        await until(lambda: conclusion_log)

    assert events[0]["reason"] == "the address is suppressed until 2026-07-31, since job job-0"
