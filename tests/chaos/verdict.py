"""The properties that must hold after any faults, checked in the ledger and in MongoDB. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cached_property
from typing import Any

DEADLINE_SECONDS = 45.0
SETTLED: Mapping[str, AbstractSet[str]] = {
    "resend": {"SENT"},
    "hold": {"SENT", "UNCERTAIN"},
}
"""The final states by policy. No fault is caused by a mail: each is sent, or held if UNCERTAIN."""
EXPECTED_CODES = {"OK", "UNAVAILABLE", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED"}
MAX_REPORTED = 20


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """The observations from outside; recipients identify mails, times are Unix seconds."""

    on_uncertain: str
    due: Mapping[str, int]  # of everything that was requested
    accepted: Mapping[str, AbstractSet[str]]  # recipient → job ids that callers got
    codes: Counter[str]  # the status codes of calls
    error_details: Mapping[str, str]  # the latest details of each code
    unanswered: AbstractSet[str]  # recipients whose callers never had an OK
    documents: Sequence[Mapping[str, Any]]
    arrivals: Sequence[tuple[str, float]]
    relay_faults: Counter[str]  # those that hit a mail at the relay
    faults_ended: float

    @cached_property
    def jobs(self) -> dict[str, list[Mapping[str, Any]]]:
        found: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
        for document in self.documents:
            found[document["email"]].append(document)
        return dict(found)

    @cached_property
    def times(self) -> dict[str, list[float]]:
        found: dict[str, list[float]] = defaultdict(list)
        for recipient, time in self.arrivals:
            found[recipient].append(time)
        return dict(found)

    @property
    def duplicates(self) -> int:
        return sum(len(times) - 1 for times in self.times.values())

    @property
    def uncertain(self) -> set[str]:
        """Return the recipients of jobs that were UNCERTAIN at some time."""
        return {
            job["email"]
            for job in self.documents
            if any(attempt["kind"] == "UNCERTAIN" for attempt in job["attempts"])
        }

    @property
    def lateness(self) -> list[float]:
        """Return by how many seconds the first arrival of each mail was late, sorted."""
        return sorted(min(times) - self.due[recipient] for recipient, times in self.times.items())


def problems(evidence: Evidence) -> list[str]:
    """List the properties that do not hold."""
    found = [problem for check in CHECKS for problem in check(evidence)]
    return found[:MAX_REPORTED]


def check_accepted_kept(evidence: Evidence) -> Iterator[str]:
    """Check P1: each accepted job is in MongoDB, under the one id that every caller got."""
    for recipient, ids in evidence.accepted.items():
        kept = {job["_id"] for job in evidence.jobs.get(recipient, [])}
        if kept != ids:
            yield f"{recipient}: callers got {ids}, MongoDB has {kept}"


def check_callers_answered(evidence: Evidence) -> Iterator[str]:
    """Check that a caller that repeats its call gets an OK once the faults have ended."""
    for recipient in sorted(evidence.unanswered):
        yield f"{recipient}: no OK within {DEADLINE_SECONDS:g} s after the faults had ended"


def check_jobs_settled(evidence: Evidence) -> Iterator[str]:
    """Check P2: every job, also one without an answered call, is in exactly one final state."""
    for recipient, jobs in evidence.jobs.items():
        if [job["state"] in SETTLED[evidence.on_uncertain] for job in jobs] != [True]:
            yield f"{recipient}: {[(job['state'], job['reason']) for job in jobs]}"


def check_no_claim_left(evidence: Evidence) -> Iterator[str]:
    for job in evidence.documents:
        if left := {"claim", "lease", "begun"} & job.keys():
            yield f"{job['email']}: {job['state']} and still has {left}"


def check_sent_arrived(evidence: Evidence) -> Iterator[str]:
    for job in evidence.documents:
        if job["state"] == "SENT" and job["email"] not in evidence.times:
            yield f"{job['email']}: SENT, but the relay never got it"


def check_mail_requested(evidence: Evidence) -> Iterator[str]:
    for recipient in evidence.times.keys() - evidence.due.keys():
        yield f"{recipient}: this mail was not requested"


def check_sent_once(evidence: Evidence) -> Iterator[str]:
    """Check P3: a mail arrives twice only if it was UNCERTAIN and the policy is to resend."""
    may_be_twice = evidence.uncertain if evidence.on_uncertain == "resend" else set()
    for recipient, times in evidence.times.items():
        if len(times) > 1 and recipient not in may_be_twice:
            yield f"{recipient}: arrived {len(times)} times"


def check_attempts_charged(evidence: Evidence) -> Iterator[str]:
    """Check that only faults of the relay and its acceptance are charged: a crash is not."""
    for job in evidence.documents:
        limit = evidence.relay_faults[job["email"]] + (job["state"] == "SENT")
        if job["attempt"] > limit:
            yield f"{job['email']}: {job['attempt']} attempts charged, the relay knows of {limit}"


def check_on_time(evidence: Evidence) -> Iterator[str]:
    for recipient, times in evidence.times.items():
        due = evidence.due.get(recipient, 0)
        if (late := max(times) - max(due, evidence.faults_ended)) > DEADLINE_SECONDS:
            yield f"{recipient}: arrived {late:.1f} s after the faults had ended"
        if min(times) < due:
            yield f"{recipient}: arrived {due - min(times):.3f} s early"


def check_call_codes(evidence: Evidence) -> Iterator[str]:
    for code in evidence.codes.keys() - EXPECTED_CODES:
        details = evidence.error_details.get(code, "")
        yield f"{evidence.codes[code]} calls were answered {code}, the last one with: {details}"


CHECKS = (
    check_accepted_kept,
    check_callers_answered,
    check_jobs_settled,
    check_no_claim_left,
    check_sent_arrived,
    check_mail_requested,
    check_sent_once,
    check_attempts_charged,
    check_on_time,
    check_call_codes,
)
