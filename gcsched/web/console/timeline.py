"""The timeline of a job: its acceptance, its attempts, and what operators did. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from gcsched.domain.access import NO_ONE_KNOWN
from gcsched.domain.attempt import MAX_ATTEMPTS_KEPT, Attempt
from gcsched.domain.job import FINAL_STATES, Job, State
from gcsched.domain.smtp_reply import Kind
from gcsched.domain.step import Step
from gcsched.web.console.job_words import KIND_WORDS, METHOD_WORDS, explain_codes
from gcsched.web.console.masked import show_text

COLOURS = {
    Kind.ACCEPTED: "sent",
    Kind.DEFERRED: "retrying",
    Kind.RELAY: "retrying",
    Kind.UNCERTAIN: "uncertain",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing that happened to a job.

    *who* did it: the relay, or the client. *text* has their words. *colour* is the class of an
    attempt that ended so; "" for other things.
    """

    time: datetime
    title: str
    who: str = ""
    codes: str = ""
    text: str = ""
    took: timedelta | None = None
    change: tuple[str, str] | None = None
    colour: str = ""


def build_timeline(job: Job, *, is_full: bool) -> list[Entry]:
    """Return what happened to *job*, oldest first.

    Unless *is_full*, the words of relays and of operators are left out.
    """
    accepted = Entry(time=job.create_time, title="accepted", who=job.client)
    entries = [accepted, *list_attempts(job, is_full=is_full), *list_steps(job, is_full=is_full)]
    if job.state in FINAL_STATES and not has_cause(job):
        title = f"became {job.state.value}"
        text = show_text(job, job.reason, is_full=is_full)
        entries.append(Entry(time=job.state_time, title=title, text=text))
    return sorted(entries, key=lambda each: each.time)


def has_cause(job: Job) -> bool:
    """Return whether an attempt or a step led to the state of *job*."""
    is_by_step = bool(job.steps) and job.steps[-1].state == job.state.value
    return job.new_attempt is not None or (is_by_step and job.steps[-1].time == job.state_time)


def list_attempts(job: Job, *, is_full: bool) -> Iterator[Entry]:
    for number, attempt in enumerate(job.attempts, start=1):
        # Of many the oldest are dropped, so their numbers are not known.
        name = f"try {number}" if len(job.attempts) < MAX_ATTEMPTS_KEPT else "a try"
        yield Entry(
            time=attempt.start_time,
            title=f"{name}: {KIND_WORDS[attempt.kind]}",
            who=attempt.relay,
            codes=explain_codes(attempt),
            text=attempt.text if is_full else "",
            took=attempt.end_time - attempt.start_time,
            colour=COLOURS.get(attempt.kind, "failed"),
        )


def list_steps(job: Job, *, is_full: bool) -> Iterator[Entry]:
    for step in job.steps:
        changed = None if step.previous_state == step.state else (step.previous_state, step.state)
        yield Entry(
            time=step.time,
            title=METHOD_WORDS.get(step.method, f"called {step.method}"),
            who=f"{name_client(step)} ({step.via})",
            text=step.reason if is_full else "",
            change=changed,
        )


def name_client(step: Step) -> str:
    return step.client or NO_ONE_KNOWN


def find_evidence(job: Job) -> Attempt | None:
    """Return the attempt of an UNCERTAIN *job* whose reply was lost."""
    if job.state is not State.UNCERTAIN:
        return None
    lost = (each for each in reversed(job.attempts) if each.kind is Kind.UNCERTAIN)
    return next(lost, None)
