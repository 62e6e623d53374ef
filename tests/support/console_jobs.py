"""Jobs in every state for the pages of the console, also with hostile texts in every field."""

from datetime import datetime, timedelta
from typing import Any

from gcsched.adapters.mongo.codec import encode
from gcsched.domain.ids import new_id
from gcsched.domain.job import Job, State
from gcsched.domain.smtp_reply import Kind
from gcsched.domain.step import Step
from tests.support.builders import a_job, an_attempt
from tests.support.in_process_app import RunningApp

HOSTILE = (
    '<script>document.title=1</script><img src=x onerror="document.title=2">\' hx-get="/x" {{7*7}}'
    " \u202e\u2066"
)
PAUSED_FAR_AHEAD = timedelta(days=2)


def a_kept_job(now: datetime, **others: Any) -> Job:
    """Build a job that was accepted an hour before *now*; one that waits is due in two days."""
    job_id = others.pop("id", "") or new_id(now - timedelta(hours=1))
    times = {
        "create_time": now - timedelta(hours=1),
        "schedule_time": now + PAUSED_FAR_AHEAD,
        "due_time": now + PAUSED_FAR_AHEAD,
        "expire_time": now + timedelta(days=3),
        "state_time": now - timedelta(minutes=10),
    }
    own = {"message_id": f"{job_id}@example.org", "dedup_key": f"key-{job_id}"}
    return a_job(id=job_id, **{**times, **own, **others})


def a_failed_job(now: datetime, **others: Any) -> Job:
    """Build a job that was refused at its second try."""
    end = now - timedelta(minutes=10)
    refused = {"code": 550, "enhanced_code": "5.1.1", "text": "550 5.1.1 at RCPT: User unknown"}
    attempts = (
        an_attempt(
            start_time=end - timedelta(minutes=9),
            end_time=end - timedelta(minutes=8),
            kind=Kind.DEFERRED,
            relay="mx1.example.net",
            code=451,
            enhanced_code="4.7.1",
            text="451 4.7.1 at RCPT: try later",
        ),
        an_attempt(
            start_time=end - timedelta(seconds=1),
            end_time=end,
            kind=Kind.RECIPIENT,
            relay="mx1.example.net",
            **refused,
        ),
    )
    found = {
        "state": State.FAILED,
        "reason": refused["text"],
        "attempt": 2,
        "attempts": attempts,
        "dedup_key": None,
        "schedule_time": end - timedelta(minutes=9),
        "due_time": end - timedelta(seconds=1),
    }
    return a_kept_job(now, **{**found, **others})


def an_uncertain_job(now: datetime, **others: Any) -> Job:
    end = now - timedelta(minutes=10)
    lost = an_attempt(
        start_time=end - timedelta(seconds=30),
        end_time=end,
        kind=Kind.UNCERTAIN,
        relay="mx1.example.net",
        code=None,
        enhanced_code=None,
        text="BODY: the connection was closed",
    )
    found = {"state": State.UNCERTAIN, "attempt": 1, "attempts": (lost,), "reason": "reply lost"}
    return a_kept_job(now, **{**found, **others})


def a_hostile_job(now: datetime, **others: Any) -> Job:
    """Build a job with a hostile text wherever a caller, a relay or an operator can put one."""
    return a_job_of_text(now, HOSTILE, **others)


def a_job_of_text(now: datetime, words: str, **others: Any) -> Job:
    """Build a job that has *words* wherever a caller, a relay or an operator can put some."""
    step = Step(
        time=now - timedelta(minutes=5),
        client=words,
        via=words,
        method=words,
        previous_state="FAILED",
        state="FAILED",
        reason=words,
    )
    attempt = an_attempt(
        start_time=now - timedelta(minutes=11),
        end_time=now - timedelta(minutes=10),
        kind=Kind.POLICY,
        relay=words,
        code=550,
        enhanced_code="5.7.1",
        text=words,
    )
    texts = ("empid", "message", "name", "reason", "client", "request_id")
    found = {
        "state": State.FAILED,
        "email": '"<img/src=x>"@example.org',
        "labels": {words[:60]: words[:60]},
        "variables": {"note": words},
        "attempts": (attempt,),
        "steps": (step,),
        "dedup_key": None,
        **dict.fromkeys(texts, words),
    }
    return a_kept_job(now, **{**found, **others})


async def keep(app: RunningApp, *jobs: Job) -> None:
    """Store *jobs* as they are."""
    await app.resources.mongo.jobs.insert_many([encode(each) for each in jobs])
