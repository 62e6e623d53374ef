"""A relay that cannot be used: told once, with what to do, and not for each of its mails."""

from collections.abc import Collection, Iterator, MutableMapping, Sequence
from datetime import timedelta
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from gcsched.domain.job import Job
from gcsched.domain.replies import Kind
from gcsched.usecases.ports import Conclusion
from gcsched.usecases.record import WHAT_TO_DO, Recorder, RelayTrouble
from tests.builders import NOW, a_claimed_job, a_conclusion, an_attempt, running
from tests.waiting import until

Events = list[MutableMapping[str, Any]]
LATER = NOW + timedelta(minutes=1)
REFUSED = "CONNECT: the connection failed: Connection refused"


@pytest.fixture
def events() -> Iterator[Events]:
    structlog.reset_defaults()  # another test may have set a level
    with capture_logs() as caught:
        yield caught


class WritesAll:
    async def conclude(self, _: Sequence[Conclusion]) -> Collection[str]:
        return set()


def an_outcome(kind: Kind, *, after: timedelta = timedelta(), relay: str = "a.example:25") -> Job:
    """Make a job as it is when the relay refused us, or answered to the mail, *after* NOW."""
    code, text = (None, REFUSED) if kind is Kind.OURS else (450, "450 at RCPT: busy")
    attempt = an_attempt(ended=NOW + after, kind=kind, relay=relay, code=code, text=text)
    return a_claimed_job().retried(attempt, due=LATER, charged=kind is not Kind.OURS)


def names(events: Events) -> list[tuple[str, str]]:
    return [(event["event"], event["relay"]) for event in events]


def test_a_relay_that_refuses_is_one_warning_that_says_what_to_do(events: Events) -> None:
    trouble = RelayTrouble()

    for _ in range(1000):
        trouble.note(an_outcome(Kind.OURS))

    assert events == [
        {
            "event": "relay refused",
            "log_level": "warning",
            "relay": "a.example:25",
            "reason": REFUSED,
            "postponed": 1,
            "what_to_do": WHAT_TO_DO,
        }
    ]


def test_while_it_lasts_the_warning_comes_again_and_counts(events: Events) -> None:
    trouble = RelayTrouble()

    for seconds in range(61):
        trouble.note(an_outcome(Kind.OURS, after=timedelta(seconds=seconds)))

    assert [event["postponed"] for event in events] == [1, 30, 30]


def test_a_relay_that_answers_again_is_told_once(events: Events) -> None:
    trouble = RelayTrouble()

    for kind in (Kind.LATER, Kind.OURS, Kind.OURS, Kind.LATER, Kind.ACCEPTED):
        trouble.note(an_outcome(kind))

    refused, answered = ("relay refused", "a.example:25"), ("relay answered again", "a.example:25")
    assert names(events) == [refused, answered]


def test_a_relay_that_takes_and_refuses_by_turns_is_no_flood(events: Events) -> None:
    trouble = RelayTrouble()

    for seconds in range(29):
        trouble.note(an_outcome(Kind.OURS, after=timedelta(seconds=seconds)))
        trouble.note(an_outcome(Kind.LATER, after=timedelta(seconds=seconds)))

    assert len(events) == 2


def test_each_relay_has_its_own_warning(events: Events) -> None:
    trouble = RelayTrouble()

    trouble.note(an_outcome(Kind.OURS, relay="a.example:25"))
    trouble.note(an_outcome(Kind.OURS, relay="b.example:25"))

    assert names(events) == [("relay refused", "a.example:25"), ("relay refused", "b.example:25")]


@pytest.mark.parametrize(
    "job",
    [
        a_claimed_job().given_back(NOW),
        a_claimed_job(attempts=(an_attempt(kind=Kind.OURS),)).given_back(NOW + timedelta(hours=1)),
        a_claimed_job().retried(an_attempt(kind=Kind.OURS, relay=""), due=LATER, charged=False),
    ],
    ids=["no attempt", "an old attempt", "no relay"],
)
def test_what_no_relay_said_just_now_is_no_news_of_it(events: Events, job: Job) -> None:
    RelayTrouble().note(job)

    assert events == []


async def test_a_refusing_relay_reaches_the_log_beside_its_postponed_jobs(
    events: Events,
) -> None:
    settled: list[Conclusion] = []
    recorder = Recorder(WritesAll(), on_recorded=settled.append)

    async with running(recorder.run):
        recorder.record(a_conclusion(an_outcome(Kind.OURS)))
        await until(lambda: settled)

    levels = [(event["event"], event["log_level"]) for event in events]
    assert levels == [("job postponed", "info"), ("relay refused", "warning")]
