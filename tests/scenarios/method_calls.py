"""A call of each method of the client library, and how it ended. For both clients alike."""

import asyncio
import inspect
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from gcsched.client import DAILY, AsyncClient, Attendee, CallFailed, Client, MailRequest
from gcsched.pb import task_pb2

BLOCKING, ASYNC = "Client", "AsyncClient"
TO_FAIL, TO_LOSE = "to-fail@example.org", "to-lose@example.org"
INVITED, TO_REMOVE = "invited@example.org", "to-remove@example.org"
_numbers = count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subjects:
    """What the calls of one client are about: jobs in the states that they need, and more."""

    waiting: str = "1"
    to_cancel: str = "2"
    to_reschedule: str = "3"
    failed: str = "4"
    uncertain: str = "5"
    suppressed: str = "away@example.org"
    to_allow: str = "back@example.org"
    empid: str = "E0"
    to_forget: str = "E-0"
    meeting: str = "6"
    to_call_off: str = "7"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallEnd:
    """How a call ended: the error's class, or "" for an answer, and the seconds that it took."""

    client: str
    method: str
    raised: str = ""
    reason: str = ""
    retry_after: float = 0.0
    seconds: float


Options = Mapping[str, Any]
Method = Callable[[Any, Subjects, Options], Any]


def tomorrow() -> datetime:
    return datetime.now(UTC) + timedelta(days=1)


def a_mail() -> dict[str, Any]:
    """Return the arguments of a mail that is like no other."""
    number = next(_numbers)
    return {
        "empid": f"E{number}",
        "email": f"{number}@example.org",
        "message": f"Chat {number}",
        "at": tomorrow(),
    }


def a_meeting() -> dict[str, Any]:
    """Return the arguments of a meeting whose invitations wait."""
    return {
        "summary": f"Review {next(_numbers)}",
        "start": (tomorrow() + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M"),
        "duration": timedelta(minutes=30),
        "time_zone": "Europe/Berlin",
        "attendees": [Attendee(email=INVITED), Attendee(email=TO_REMOVE)],
        "invite_at": tomorrow(),
    }


# Each leaves the service as it was, or as the other calls can stand; the audit is one of them.
METHODS: dict[str, Method] = {
    "schedule": lambda client, _, options: client.schedule(**a_mail(), **options),
    "schedule_many": lambda client, _, options: client.schedule_many(
        [MailRequest(**a_mail()) for _ in range(3)], **options
    ),
    "schedule_meet": lambda client, *_: client.schedule_meet(**a_mail()),
    "validate": lambda client, _, options: client.validate(**a_mail(), **options),
    "call": lambda client, _, options: client.call(
        "GetStatus", task_pb2.GetStatusRequest(), **options
    ),
    "get_job": lambda client, subjects, options: client.get_job(subjects.waiting, **options),
    "list_jobs": lambda client, _, options: client.list_jobs(page_size=1, **options),
    "count_jobs": lambda client, _, options: client.count_jobs(**options),
    "cancel": lambda client, subjects, options: client.cancel(subjects.to_cancel, **options),
    "reschedule": lambda client, subjects, options: client.reschedule(
        subjects.to_reschedule, at=DAILY, **options
    ),
    "retry": lambda client, subjects, options: client.retry(subjects.failed, **options),
    "resolve": lambda client, subjects, options: client.resolve(
        subjects.uncertain, state="SENT", **options
    ),
    "cancel_jobs": lambda client, _, options: client.cancel_jobs(
        empid="nobody", reason="a test", **options
    ),
    "retry_jobs": lambda client, _, options: client.retry_jobs(empid="nobody", **options),
    "run_daily_queue": lambda client, _, options: client.run_daily_queue(**options),
    "pause": lambda client, _, options: client.pause(by="ada", reason="a test", **options),
    "resume": lambda client, _, options: client.resume(**options),
    "status": lambda client, _, options: client.status(**options),
    "list_suppressions": lambda client, _, options: client.list_suppressions(**options),
    "add_suppression": lambda client, _, options: client.add_suppression(
        "another@example.org", reason="a test", **options
    ),
    "get_suppression": lambda client, subjects, options: client.get_suppression(
        subjects.suppressed, **options
    ),
    "remove_suppression": lambda client, subjects, options: client.remove_suppression(
        subjects.to_allow, **options
    ),
    "get_recipient": lambda client, subjects, options: client.get_recipient(
        subjects.empid, **options
    ),
    "forget_recipient": lambda client, subjects, options: client.forget_recipient(
        subjects.to_forget, **options
    ),
    "list_templates": lambda client, _, options: client.list_templates(**options),
    "preview_template": lambda client, _, options: client.preview_template(**options),
    "send_test_mail": lambda client, _, options: client.send_test_mail(
        "ada@example.org", **options
    ),
    "create_meeting": lambda client, _, options: client.create_meeting(**a_meeting(), **options),
    "get_meeting": lambda client, subjects, options: client.get_meeting(
        subjects.meeting, **options
    ),
    "list_meetings": lambda client, _, options: client.list_meetings(page_size=1, **options),
    "update_meeting": lambda client, subjects, options: client.update_meeting(
        subjects.meeting, location="Room 5", **options
    ),
    "add_attendees": lambda client, subjects, options: client.add_attendees(
        subjects.meeting, [Attendee(email="another@example.org")], **options
    ),
    "remove_attendees": lambda client, subjects, options: client.remove_attendees(
        subjects.meeting, [TO_REMOVE], **options
    ),
    "cancel_meeting": lambda client, subjects, options: client.cancel_meeting(
        subjects.to_call_off, **options
    ),
    "meeting_calendar": lambda client, subjects, options: client.meeting_calendar(
        subjects.meeting, **options
    ),
    "list_audit": lambda client, _, options: client.list_audit(**options),
}
"""Every method but watch_health, whose iterator ends with the client only."""


def end_call(client: str, method: str, start: float, error: CallFailed | None) -> CallEnd:
    seconds = time.monotonic() - start
    if error is None:
        return CallEnd(client=client, method=method, seconds=seconds)
    retry_after = error.retry_after.total_seconds() if error.retry_after else 0.0
    return CallEnd(
        client=client,
        method=method,
        raised=type(error).__name__,
        reason=error.reason,
        retry_after=retry_after,
        seconds=seconds,
    )


def call_blocking(client: Client, name: str, subjects: Subjects, options: Options) -> CallEnd:
    start, failure = time.monotonic(), None
    try:
        answer = METHODS[name](client, subjects, options)
        if isinstance(answer, Iterator):
            next(answer, None)
        failure = find_failure(answer)
    except CallFailed as error:
        failure = error
    return end_call(BLOCKING, name, start, failure)


async def call_async(
    client: AsyncClient, name: str, subjects: Subjects, options: Options
) -> CallEnd:
    start, failure = time.monotonic(), None
    try:
        answer = METHODS[name](client, subjects, options)
        if isinstance(answer, AsyncIterator):
            await anext(answer, None)
        elif inspect.isawaitable(answer):
            failure = find_failure(await answer)
    except CallFailed as error:
        failure = error
    return end_call(ASYNC, name, start, failure)


def find_failure(answer: Any) -> CallFailed | None:
    """Return the first error in the list that schedule_many returns."""
    answers = answer if isinstance(answer, list) else []
    return next((each for each in answers if isinstance(each, CallFailed)), None)


async def call_each(
    blocking: Client,
    asynchronous: AsyncClient,
    subjects: Mapping[str, Subjects],
    names: list[str],
    **options: Any,
) -> list[CallEnd]:
    """Call *names* of both clients, all at the same time; *subjects* are by the client's name."""
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(len(names)) as pool:
        blocked = [
            loop.run_in_executor(pool, call_blocking, blocking, each, subjects[BLOCKING], options)
            for each in names
        ]
        called = [call_async(asynchronous, each, subjects[ASYNC], options) for each in names]
        return await asyncio.gather(*blocked, *called)
