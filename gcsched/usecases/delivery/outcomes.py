"""Writes the outcomes of claimed jobs: in batches, retried until the store takes them.

An outcome that shows that an address does not exist also stores a suppression of it.
"""

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from logging import INFO

import structlog
from structlog.typing import FilteringBoundLogger

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
    """Collects conclusions and writes them; *on_recorded* is called with each batch once stored.

    The first conclusion is written at once; those that arrive during a write go into the next one,
    after a short pause. The number of waiting conclusions needs no limit of its own: they count as
    claimed jobs, and the engine claims no more until they are written.
    """

    def __init__(
        self,
        outcomes: Outcomes,
        *,
        on_recorded: Callable[[Sequence[Conclusion]], None],
        on_batch: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._outcomes = outcomes
        self._on_recorded = on_recorded
        self._on_batch = on_batch
        self._waiting: list[Conclusion] = []
        self._requested = asyncio.Event()
        self._problem_log = ProblemLog(
            event="outcome write failed, retrying", end_event="outcome writes resumed"
        )

    def record(self, conclusion: Conclusion) -> None:
        self._waiting.append(conclusion)
        self._requested.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Write until *stop* is set and nothing waits; the caller limits how long that may take."""
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
                # Fewer, larger writes: each one flushes the journal, which the fence waits for too.
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
            log_batch(batch, lost)
            self._on_recorded(batch)


def log_batch(batch: Sequence[Conclusion], lost: Collection[Conclusion]) -> None:
    """Log the event of each conclusion of *batch*; those in *lost* were not stored."""
    # Bound once: an unbound logger reads its configuration again at each call.
    log: FilteringBoundLogger = structlog.get_logger().bind()
    claims_lost = {(each.claim, each.job.id): each for each in lost}
    for conclusion in batch:
        if (found := claims_lost.get((conclusion.claim, conclusion.job.id))) is not None:
            log_lost_claim(log, found)
        else:
            log_outcome(log, conclusion.job)


def log_lost_claim(log: FilteringBoundLogger, conclusion: Conclusion) -> None:
    """Log that a claim was lost: as a warning only if a mail was being sent under it.

    Without an attempt nothing was sent. The claim was then withdrawn by a caller who cancelled or
    moved the job, by a suppression, or by the sweep, each of which has its own log line.
    """
    job = conclusion.job
    log_event = log.info if job.new_attempt is None else log.warning
    log_event(
        "claim lost", job_id=job.id, state=job.state.value, found_state=conclusion.found_state
    )


def log_outcome(log: FilteringBoundLogger, job: Job) -> None:
    """Log the event of this outcome. No log line may hold an address or the text of a mail."""
    match job.state:
        case State.SENT:
            if log.is_enabled_for(INFO):  # most lines: build no fields for nothing
                log.info("job sent", job_id=job.id, attempt=job.attempt, **describe_sending(job))
        case State.FAILED | State.EXPIRED | State.SUPPRESSED:
            reason = format_reason(job)
            log.warning(END_EVENTS[job.state], job_id=job.id, attempt=job.attempt, reason=reason)
        case State.CANCELLED:  # by its meeting, in our own words: callers have a line of their own
            log.info("job superseded", job_id=job.id, reason=job.reason)
        case State.UNCERTAIN:
            log.warning("job held uncertain", job_id=job.id, reason=format_reason(job))
        case State.RETRYING if job.new_attempt is not None:
            # A relay failure is logged as a warning once, by its breaker, not for each mail.
            log_event = log.info if job.new_attempt.kind is Kind.RELAY else log.warning
            until, reason = job.due_time.isoformat(), format_reason(job)
            log_event(
                "job postponed", job_id=job.id, attempt=job.attempt, until=until, reason=reason
            )
        case _:
            log.debug("job given back", job_id=job.id)


def describe_sending(job: Job) -> dict[str, object]:
    """Return which relay accepted *job* and how late, if this attempt has both."""
    if (late := lateness_of(job)) is None:
        return {}
    return {"relay": job.attempts[-1].relay, "late_seconds": round(late.total_seconds(), 3)}


def format_reason(job: Job) -> str:
    """Return the reason of *job* for the log."""
    if job.state is State.SUPPRESSED:
        # The rest is the relay's reply to an earlier mail, or the words of the operator.
        return job.reason.partition(": ")[0]
    return mask(job.reason, job)


DOCUMENT_PROBLEMS = frozenset({"document", "validation"})


@dataclass(frozen=True, slots=True, kw_only=True)
class SuppressingOutcomes:
    """Stores the suppressions that outcomes imply, before the outcomes, in the same try.

    The order makes sure that none is lost: until the outcome is written, the recorder repeats both
    writes, and repeating either changes nothing. A suppression is right even if the claim was lost
    meanwhile: the relay did refuse the address.
    """

    outcomes: Outcomes
    suppressions: Suppressions
    duration: timedelta

    async def conclude(self, conclusions: Sequence[Conclusion]) -> Collection[Conclusion]:
        """Write the conclusions; return those whose claim was lost."""
        found = [suppression_from(each.job, duration=self.duration) for each in conclusions]
        if refused := [suppression for suppression in found if suppression is not None]:
            try:
                await self.suppressions.add(refused)
            except StoreRefused as error:
                if error.problem not in DOCUMENT_PROBLEMS:
                    raise
                # The document itself is refused, so a retry would fail too and block all outcomes.
                structlog.get_logger().error("suppression not stored", error=str(error))
        return await self.outcomes.conclude(conclusions)
