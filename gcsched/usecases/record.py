"""Write what became of claimed jobs: in groups, tried until the store takes it."""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from gcsched.domain.job import Attempt, Job, State
from gcsched.domain.replies import Kind
from gcsched.errors import StoreUnavailable
from gcsched.usecases.ports import Conclusion, Outcomes

MOST_AT_ONCE = 500
ADDRESS = re.compile(r'(?:"[^"]*"|\S+)@\S+')
ENDED = {
    State.FAILED: "job failed",
    State.EXPIRED: "job expired",
    State.SUPPRESSED: "job suppressed",
}
BETWEEN_TRIES_SECONDS = 0.5
BETWEEN_WARNINGS = timedelta(seconds=30)
WHAT_TO_DO = "see that the relay runs and check GCSCHED_SMTP_*; the mails wait and are tried again"


class Recorder:
    """Collect conclusions and write them; *on_recorded* hears of each one that is settled.

    It holds at most what the engine has claimed: nothing new is claimed before room is made here.
    """

    def __init__(self, outcomes: Outcomes, *, on_recorded: Callable[[Conclusion], None]) -> None:
        self._outcomes = outcomes
        self._on_recorded = on_recorded
        self._waiting: list[Conclusion] = []
        self._asked = asyncio.Event()
        self._trouble = RelayTrouble()

    def record(self, conclusion: Conclusion) -> None:
        self._waiting.append(conclusion)
        self._asked.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Write until *stop* is set and nothing waits; who stops us limits how long we try."""
        async with asyncio.TaskGroup() as tasks:
            waker = tasks.create_task(self._wake_on(stop), name="recorder stop")
            while self._waiting or not stop.is_set():
                await self._asked.wait()
                if not stop.is_set():
                    self._asked.clear()
                await self._write_all()
            waker.cancel()

    async def _wake_on(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._asked.set()

    async def _write_all(self) -> None:
        while self._waiting:
            batch = self._waiting[:MOST_AT_ONCE]
            try:
                lost = await self._outcomes.conclude(batch)
            except StoreUnavailable as error:
                log = structlog.get_logger()
                log.warning("outcomes wait", waiting=len(self._waiting), error=str(error))
                await asyncio.sleep(BETWEEN_TRIES_SECONDS)
                continue
            del self._waiting[: len(batch)]
            for conclusion in batch:
                report(conclusion.job, is_lost=conclusion.job.id in lost)
                self._trouble.note(conclusion.job)
                self._on_recorded(conclusion)


@dataclass(slots=True)
class Refusals:
    """What is remembered of one relay; *warned* also holds after it has answered again."""

    warned: datetime
    postponed: int = 0
    is_refusing: bool = False


@dataclass(frozen=True, slots=True)
class RelayTrouble:
    """Warn of a relay that cannot be used: once, and now and then while it lasts; not per mail."""

    relays: dict[str, Refusals] = field(default_factory=dict)

    def note(self, job: Job) -> None:
        """Hear what became of *job* by its latest attempt, if that was just now."""
        if not job.attempts or job.since != job.attempts[-1].ended:
            return
        attempt = job.attempts[-1]
        if attempt.kind is Kind.OURS and attempt.relay:
            self._refused(attempt)
        elif attempt.code is not None:
            self._answered(attempt.relay)

    def _refused(self, attempt: Attempt) -> None:
        before = attempt.ended - BETWEEN_WARNINGS
        known = self.relays.setdefault(attempt.relay, Refusals(warned=before))
        known.postponed += 1
        if known.warned > before:
            return
        structlog.get_logger().warning(
            "relay refused",
            relay=attempt.relay,
            reason=attempt.text,
            postponed=known.postponed,
            what_to_do=WHAT_TO_DO,
        )
        known.warned, known.is_refusing, known.postponed = attempt.ended, True, 0

    def _answered(self, relay: str) -> None:
        known = self.relays.get(relay)
        if known is not None and known.is_refusing:
            known.is_refusing = False
            structlog.get_logger().warning("relay answered again", relay=relay)


def report(job: Job, *, is_lost: bool) -> None:
    """Log the one event that this outcome is."""
    log = structlog.get_logger()
    if is_lost:
        log.warning("claim lost", job_id=job.id, state=job.state.value)
        return
    match job.state:
        case State.SENT:
            log.info("job sent", job_id=job.id, attempt=job.attempt)
        case State.FAILED | State.EXPIRED | State.SUPPRESSED:
            reason = without_addresses(job.reason)
            log.warning(ENDED[job.state], job_id=job.id, attempt=job.attempt, reason=reason)
        case State.UNCERTAIN:
            log.warning("job held uncertain", job_id=job.id, reason=job.reason)
        case State.RETRYING if job.since == job.attempts[-1].ended:
            # What is no fault of this mail is told for all of them, by RelayTrouble.
            say = log.info if job.attempts[-1].kind is Kind.OURS else log.warning
            until = job.due.isoformat()
            say("job postponed", job_id=job.id, attempt=job.attempt, until=until, reason=job.reason)
        case _:
            log.info("job given back", job_id=job.id)


def without_addresses(text: str) -> str:
    """Blank out addresses: relays like to repeat the one they refuse, and no log is to hold it."""
    return ADDRESS.sub("(address)", text)
