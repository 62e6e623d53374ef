"""Says in words what a job does now, and what its attempts and steps mean. Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from gcsched.domain.attempt import Attempt
from gcsched.domain.job import WAITING, Job, State
from gcsched.domain.smtp_reply import Kind

ORDINALS = (
    *("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth"),
    "tenth",
)
KIND_WORDS: Mapping[Kind, str] = {
    Kind.ACCEPTED: "the relay took the mail",
    Kind.DEFERRED: "refused for now",
    Kind.RECIPIENT: "the address was refused",
    Kind.CONTENT: "the content was refused",
    Kind.POLICY: "refused by a rule of the relay or the recipient",
    Kind.RELAY: "the relay or the way to it failed, not this mail",
    Kind.UNCERTAIN: "the reply was lost: the relay may have the mail",
}
METHOD_WORDS: Mapping[str, str] = {
    "CancelJob": "cancelled it",
    "CancelJobs": "cancelled it with others",
    "CancelMeeting": "cancelled its meeting",
    "RescheduleJob": "moved it",
    "RetryJob": "retried it",
    "RetryJobs": "retried it with others",
    "ResolveJob": "settled it",
    "AddSuppression": "blocked its address",
    "UpdateMeeting": "changed its meeting",
    "RemoveAttendees": "removed the attendee from its meeting",
}
CODES: Mapping[str, str] = {
    "1.0": "something about the address",
    "1.1": "the mailbox does not exist",
    "1.2": "the domain cannot be reached",
    "1.3": "the address is malformed",
    "1.6": "the mailbox has moved",
    "1.8": "the domain of the sender is wrong",
    "1.10": "the domain takes no mail",
    "2.0": "something about the mailbox",
    "2.1": "the mailbox is disabled",
    "2.2": "the mailbox is full",
    "2.3": "the mail is too long for the mailbox",
    "3.1": "the storage of the system is full",
    "3.2": "the system takes no mail now",
    "3.4": "the mail is too big for the system",
    "4.1": "the host does not answer",
    "4.2": "the connection broke",
    "4.4": "no way to the host is known",
    "4.5": "the system is overloaded",
    "4.7": "the time for the delivery is over",
    "5.1": "the command is not allowed",
    "5.2": "the command is malformed",
    "5.3": "too many recipients",
    "7.0": "something about a rule or security",
    "7.1": "a rule does not allow the delivery",
    "7.8": "the login to the relay failed",
    "7.23": "SPF failed",
    "7.26": "the proofs of the sender failed",
}
"""What the codes of RFC 3463 mean, by subject and detail."""
SUBJECTS: Mapping[str, str] = {
    "0": "no details",
    "1": "something about the address",
    "2": "something about the mailbox",
    "3": "something about the mail system",
    "4": "something about the network or the routing",
    "5": "something about the protocol",
    "6": "something about the content",
    "7": "something about a rule or security",
}


class Headline(NamedTuple):
    """A sentence about a job, and the instant at its end."""

    text: str
    time: datetime


def write_headline(job: Job, now: datetime) -> Headline:
    """Return what *job* does, or what became of it."""
    if (by := find_resolver(job)) and job.state in {State.SENT, State.FAILED}:
        return Headline(f"settled as {job.state.lower()} by {by}", job.state_time)
    if job.state in WAITING:
        return Headline(describe_wait(job, is_due=job.due_time <= now), job.due_time)
    if job.state is State.SENDING and job.begun is not None:
        return Headline("its mail is on the way to the relay, since", job.begun)
    if job.state is State.FAILED and (attempt := job.new_attempt):
        return Headline(f"{KIND_WORDS[attempt.kind]},", job.state_time)
    return Headline(SENTENCES[job.state], job.state_time)


def describe_wait(job: Job, *, is_due: bool) -> str:
    if job.state is State.QUEUED:
        return "waits for the daily run"
    if job.state is State.SCHEDULED:
        return "is due since" if is_due else "waits until"
    which = f"its {count_try(job.attempt + 1)} try"
    return f"is due for {which} since" if is_due else f"waits for {which}, at"


SENTENCES: Mapping[State, str] = {
    State.SENDING: "is about to be sent, since",
    State.UNCERTAIN: "the relay may have taken its mail; decide what became of it. Held since",
    State.FAILED: "failed,",
    State.SENT: "the relay took its mail,",
    State.CANCELLED: "was withdrawn,",
    State.EXPIRED: "could not be sent in time; ended",
    State.SUPPRESSED: "its address was blocked when it was due,",
}


def find_resolver(job: Job) -> str:
    """Return who settled *job* by its last step; "" if the relay did."""
    last = job.steps[-1] if job.steps else None
    if last is None or last.method != "ResolveJob" or last.time != job.state_time:
        return ""
    return last.client


def count_try(number: int) -> str:
    return ORDINALS[number - 1] if number <= len(ORDINALS) else f"{number}th"


def explain_codes(attempt: Attempt) -> str:
    """Return the codes of the reply with their meaning: `550 5.1.1, the mailbox does not exist`."""
    codes = " ".join(str(each) for each in (attempt.code, attempt.enhanced_code) if each)
    detail = (attempt.enhanced_code or "").partition(".")[2]
    meaning = CODES.get(detail) or SUBJECTS.get(detail.partition(".")[0], "")
    # A code of success has nothing to explain.
    return f"{codes}, {meaning}" if meaning and attempt.kind is not Kind.ACCEPTED else codes
