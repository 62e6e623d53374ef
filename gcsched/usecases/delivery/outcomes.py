"""Write what became of claimed jobs: in groups, tried until the store takes it.

An outcome that shows an address not to exist also blocks that address.
"""

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import structlog

from gcsched.domain.job import Job, State
from gcsched.domain.lateness import lateness_of
from gcsched.domain.masking import mask
from gcsched.domain.smtp_reply import Kind
from gcsched.domain.suppression import suppression_from
from gcsched.errors import StoreRefused, StoreUnavailable
from gcsched.usecases.loops import flush_until
from gcsched.usecases.ports import Conclusion, Outcomes, Suppressions
from gcsched.usecases.problem_log import ProblemLog

MAX_BATCH_SIZE = 500
END_EVENTS = {
    State.FAILED: "job failed",
    State.EXPIRED: "job expired",
    State.SUPPRESSED: "job suppressed",
}
RETRY_INTERVAL_SECONDS = 0.5
LINGER_SECONDS = 0.02


class OutcomeRecorder:
    """Collect conclusions and write them; *on_recorded* hears of each one that is settled.

    The first is written at once; what comes meanwhile is collected for a moment.

    It holds at most what the engine has claimed: nothing new is claimed before room is made here.
    """

    def __init__(
        self,
        outcomes: Outcomes,
        *,
        on_recorded: Callable[[Conclusion], None],
        on_batch: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._outcomes = outcomes
        self._on_recorded = on_recorded
        self._on_batch = on_batch
        self._waiting: list[Conclusion] = []
        self._requested = asyncio.Event()
        self._problem_log = ProblemLog(event="outcomes wait", end_event="outcomes written")

    def record(self, conclusion: Conclusion) -> None:
        self._waiting.append(conclusion)
        self._requested.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Write until *stop* is set and nothing waits; who stops us limits how long we try."""
        await flush_until(
            stop,
            partial(self._write_all, stop),
            requested=self._requested,
            is_left=lambda: bool(self._waiting),
        )

    async def _write_all(self, stop: asyncio.Event) -> None:
        is_busy = False
        while self._waiting:
            if is_busy and not stop.is_set():
                # The fence waits for the same journal, and each write has it flushed.
                await asyncio.sleep(LINGER_SECONDS)
            is_busy = True
            batch = self._waiting[:MAX_BATCH_SIZE]
            try:
                lost = await self._outcomes.conclude(batch)
            except StoreUnavailable as error:
                self._problem_log.record_failure(error.for_log, waiting=len(self._waiting))
                await asyncio.sleep(RETRY_INTERVAL_SECONDS)
                continue
            self._problem_log.record_success()
            del self._waiting[: len(batch)]
            self._on_batch(len(batch))
            claims_lost = {(each.claim, each.job.id): each for each in lost}
            for conclusion in batch:
                if (found := claims_lost.get((conclusion.claim, conclusion.job.id))) is not None:
                    log_lost_claim(found)
                else:
                    log_outcome(conclusion.job)
                self._on_recorded(conclusion)


def log_lost_claim(conclusion: Conclusion) -> None:
    """Log that a claim was lost: a warning only where a mail was on its way under it.

    Without an attempt nothing was transmitted: a caller has cancelled or moved the job or blocked
    its address, or the sweep has taken it back, and that was told in its place.
    """
    job, log = conclusion.job, structlog.get_logger()
    log_event = log.info if job.new_attempt is None else log.warning
    log_event("claim lost", job_id=job.id, state=job.state.value, instead=conclusion.found_state)


def log_outcome(job: Job) -> None:
    """Log the one event that this outcome is. No log is to hold an address or a mail's words."""
    log = structlog.get_logger()
    match job.state:
        case State.SENT:
            log.info("job sent", job_id=job.id, attempt=job.attempt, **describe_sending(job))
        case State.FAILED | State.EXPIRED | State.SUPPRESSED:
            reason = format_reason(job)
            log.warning(END_EVENTS[job.state], job_id=job.id, attempt=job.attempt, reason=reason)
        case State.UNCERTAIN:
            log.warning("job held uncertain", job_id=job.id, reason=format_reason(job))
        case State.RETRYING if job.new_attempt is not None:
            # Trouble with a relay is told once, by its breaker, and not for each mail.
            log_event = log.info if job.new_attempt.kind is Kind.RELAY else log.warning
            until, reason = job.due_time.isoformat(), format_reason(job)
            log_event(
                "job postponed", job_id=job.id, attempt=job.attempt, until=until, reason=reason
            )
        case _:
            log.debug("job given back", job_id=job.id)


def describe_sending(job: Job) -> dict[str, object]:
    """Return which relay has accepted *job* and how late, as far as this attempt tells it."""
    late = lateness_of(job)
    if job.new_attempt is None or late is None:
        return {}
    return {"relay": job.new_attempt.relay, "late_seconds": round(late.total_seconds(), 3)}


def format_reason(job: Job) -> str:
    """Return the reason of *job* for a log."""
    if job.state is State.SUPPRESSED:
        # What follows are a relay's words on an earlier mail, or those of whoever blocked it.
        return job.reason.partition(": ")[0]
    return mask(job.reason, job)


DOCUMENT_PROBLEMS = frozenset({"document", "validation"})


@dataclass(frozen=True, slots=True, kw_only=True)
class SuppressingOutcomes:
    """Keep suppressions before the outcomes they come from, in the same try of the recorder.

    So none is lost: until the outcome is written the recorder tries both again, and doing either
    twice changes nothing. A refusal is true even if the claim was lost meanwhile.
    """

    outcomes: Outcomes
    suppressions: Suppressions
    duration: timedelta

    async def conclude(self, conclusions: Sequence[Conclusion]) -> Collection[Conclusion]:
        """Write what became of claimed jobs; give those that were not ours any more."""
        found = [suppression_from(each.job, duration=self.duration) for each in conclusions]
        if refused := [suppression for suppression in found if suppression is not None]:
            try:
                await self.suppressions.add(refused)
            except StoreRefused as error:
                if error.problem not in DOCUMENT_PROBLEMS:
                    raise
                # Of one that cannot be stored, whatever is tried; the outcomes are not to wait.
                structlog.get_logger().error("suppression not stored", error=str(error))
        return await self.outcomes.conclude(conclusions)
