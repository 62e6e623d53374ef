"""The result of scheduling an invitation, in words: the reply and what blocks the mail."""

import json
from argparse import Namespace
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from gcsched.cli import fields, output
from gcsched.domain.caller_text import quote, replace_unprintable

if TYPE_CHECKING:
    from gcsched.cli.delivery_blockers import DeliveryBlockers
    from gcsched.client import ScheduledJob
    from gcsched.pb import task_pb2

WAITING = {"", "QUEUED", "SCHEDULED", "RETRYING"}
"""States from which a mail may still be sent; empty: the service is older than the field."""
DUE_SOON = timedelta(seconds=5)
"""A mail that is due this soon leaves before the operator can type another command."""
STATE_DESCRIPTIONS: Mapping[str, str] = {
    "SENT": "already SENT: no second mail is sent",
    "SENDING": "SENDING: the mail is on its way to the relay",
    "UNCERTAIN": "UNCERTAIN: the relay may have taken the mail; `gcsched job resolve` decides",
    "FAILED": "already FAILED: no mail is sent; to send it, use `gcsched job retry`",
    "EXPIRED": "already EXPIRED: no mail is sent; to send it, use `gcsched job retry`",
    "SUPPRESSED": (
        "already SUPPRESSED: no mail is sent while the address is suppressed; to send it, use"
        " `gcsched suppression remove`, then `gcsched job retry`"
    ),
    "CANCELLED": "already CANCELLED: no mail is sent",
}


def describe_result(job: "ScheduledJob", due: str | None) -> str:
    """Describe what happened and what will; *due* is in UTC, None: with the next daily run."""
    done = "accepted before" if job.outcome == "REPLAYED" else "accepted"
    meeting = f", meeting {job.meeting_id}" if job.meeting_id else ""
    return f"{done}: job {job.job_id}{meeting}, {describe_state(job, due)}"


def describe_state(job: "ScheduledJob", due: str | None) -> str:
    if job.state in WAITING:
        when = f"due {format_local(due)}" if due else "due with the next daily run"
        return f"RETRYING: the next attempt is {when}" if job.state == "RETRYING" else when
    return STATE_DESCRIPTIONS.get(job.state, f"{job.state} now")


def describe_suppression(found: "task_pb2.Suppression", job_id: str, *, ends_now: bool) -> str:
    """Describe the suppression; *ends_now*: the job ends before it can be removed."""
    email, reason = replace_unprintable(found.email), quote(found.reason)
    until = fields.format_field(found, "expire_time")
    # A job that waits can still be sent; one that ends now has to be retried.
    advice = (
        "to send the mail, use `gcsched suppression remove`, then `gcsched job retry"
        f" {replace_unprintable(job_id)}`"
    )
    ends = (
        f"; {advice}"
        if ends_now
        else " unless `gcsched suppression remove` removes the suppression"
    )
    return f"; but {email} gets no mail until {until} ({reason}): the job ends SUPPRESSED{ends}"


def describe_pause(pause: "task_pb2.Pause") -> str:
    since = fields.format_field(pause, "start_time")
    return (
        f"; but sending is paused by {quote(pause.by)} since {since} ({quote(pause.reason)}):"
        " mails wait until `gcsched resume`"
    )


def format_utc(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def format_local(due: str) -> str:
    return datetime.fromisoformat(due).astimezone().isoformat()


def print_result(
    chosen: Namespace,
    job: "ScheduledJob",
    due: str | None,
    found: "DeliveryBlockers",
    *,
    now: datetime,
) -> None:
    output.print_lines(
        as_json(job, due, found) if chosen.json else as_sentence(job, due, found, now)
    )


def as_json(job: "ScheduledJob", due: str | None, found: "DeliveryBlockers") -> str:
    names = ("outcome", "state", "meeting_id", "time_note")
    optional = {name: getattr(job, name) for name in names}  # empty: the service is older
    result = {name: value for name, value in optional.items() if value}
    blockers = {"suppression": found.suppression, "pause": found.pause}
    messages = {name: output.as_dict(each) for name, each in blockers.items() if each is not None}
    return json.dumps({"job_id": job.job_id, "due_time": due, **result, **messages})


def as_sentence(
    job: "ScheduledJob", due: str | None, found: "DeliveryBlockers", now: datetime
) -> str:
    sentence = describe_result(job, due)
    if job.time_note:
        sentence += f"; note that {replace_unprintable(job.time_note)}"
    if found.suppression is not None:
        is_due = job.due_time is not None and job.due_time <= now + DUE_SOON
        sentence += describe_suppression(
            found.suppression, job.job_id, ends_now=is_due and found.pause is None
        )
    if found.pause is not None:
        sentence += describe_pause(found.pause)
    return sentence
