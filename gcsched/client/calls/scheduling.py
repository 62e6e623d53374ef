"""The calls that schedule mails. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypedDict, Unpack

from gcsched.client.argument_values import (
    ScheduleTime,
    check_bool,
    check_text,
    check_text_mapping,
    unix_seconds,
    unix_seconds_or_daily,
)
from gcsched.client.calls.call import Call
from gcsched.client.errors import CallFailed, RefusedDuplicate
from gcsched.client.event import Event, event_message
from gcsched.client.results.jobs import ScheduledJob, Validation
from gcsched.client.results.reading import name_of, read_message
from gcsched.client.suggestions import refuse_unknown
from gcsched.client.values import DAILY
from gcsched.pb import task_pb2

# The service's own default for an event. It is named, because a service that knows no events would
# send a plain mail; so it refuses the template.
INVITATION = "invitation"
OUTCOMES: Any = task_pb2.MeetResponse.Outcome.DESCRIPTOR
STATES: Any = task_pb2.Job.State.DESCRIPTOR


class OptionalFields(TypedDict, total=False):
    """The optional fields of a request; proto/task.proto has the rules of each."""

    request_id: str
    template: str
    variables: Mapping[str, str]
    not_after: datetime | int | None
    reply_to: str
    sender: str
    labels: Mapping[str, str]
    urgent: bool
    event: Event | None


class MailOptions(OptionalFields, total=False):
    """What a mail may have beside its recipient, subject and time."""

    name: str


KEYWORDS = {"empid", "email", "message", "at", "timeout", *MailOptions.__optional_keys__}


@dataclass(frozen=True, slots=True, kw_only=True)
class MailRequest:
    """A request for one mail, for schedule_many; the fields are the arguments of schedule."""

    empid: str
    email: str
    message: str
    at: ScheduleTime
    name: str = ""
    request_id: str = ""
    template: str = ""
    variables: Mapping[str, str] = field(default_factory=dict, hash=False)
    not_after: datetime | int | None = None
    reply_to: str = ""
    sender: str = ""
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)
    urgent: bool = False
    event: Event | None = None


def schedule(
    empid: str, email: str, message: str, at: ScheduleTime, **options: Unpack[MailOptions]
) -> Call[ScheduledJob]:
    refuse_unknown(options, KEYWORDS, caller="schedule")
    mail = MailRequest(empid=empid, email=email, message=message, at=at, **options)
    return Call("ScheduleMeet", build_message(mail), parse_reply)


def validate(
    empid: str, email: str, message: str, at: ScheduleTime, **options: Unpack[MailOptions]
) -> Call[Validation]:
    refuse_unknown(options, KEYWORDS, caller="validate")
    mail = MailRequest(empid=empid, email=email, message=message, at=at, **options)
    request = build_message(mail)
    request.validate_only = True
    return Call("ScheduleMeet", request, parse_validation)


def schedule_meet(
    empid: str,
    email: str,
    message: str,
    name: str,
    at: datetime | int | None,
    **options: Unpack[OptionalFields],
) -> Call[ScheduledJob]:
    return Call(
        "ScheduleMeet", build_request(empid, email, message, name, at, **options), parse_reply
    )


def build_request(
    empid: str,
    email: str,
    message: str,
    name: str,
    at: datetime | int | None,
    **options: Unpack[OptionalFields],
) -> task_pb2.MeetRequest:
    """Return the request of schedule_meet, where None and 0 are the daily run."""
    refuse_unknown(options, OptionalFields.__optional_keys__, caller="schedule_meet")
    mail = MailRequest(empid=empid, email=email, message=message, name=name, at=DAILY, **options)
    request = build_message(mail)
    request.timestamp = unix_seconds("at", at)
    return request


def build_message(mail: MailRequest) -> task_pb2.MeetRequest:
    """Return *mail* as the contract's message. Raises TypeError, ValueError."""
    is_urgent = check_bool("urgent", mail.urgent)
    return task_pb2.MeetRequest(
        empid=check_text("empid", mail.empid),
        emailID=check_text("email", mail.email),
        message=check_text("message", mail.message),
        empName=check_text("name", mail.name),
        timestamp=unix_seconds_or_daily("at", mail.at),
        request_id=check_text("request_id", mail.request_id),
        template=check_text("template", mail.template) or (INVITATION if mail.event else ""),
        variables=check_text_mapping("variables", mail.variables),
        not_after=unix_seconds("not_after", mail.not_after),
        reply_to=check_text("reply_to", mail.reply_to),
        sender=check_text("sender", mail.sender),
        labels=check_text_mapping("labels", mail.labels),
        priority=task_pb2.URGENT if is_urgent else task_pb2.NORMAL,
        event=event_message(mail.event),
    )


def parse_reply(reply: task_pb2.MeetResponse) -> ScheduledJob:
    """Return the job of *reply*. Raises CallFailed if the request was refused."""
    outcome = name_of(OUTCOMES, reply.outcome)
    if not reply.success:
        if reply.outcome == task_pb2.MeetResponse.REFUSED_DUPLICATE:
            raise RefusedDuplicate
        raise CallFailed("the service refused the request", reason=outcome or "NO_SUCCESS")
    return read_message(ScheduledJob, reply)


def parse_validation(reply: task_pb2.MeetResponse) -> Validation:
    """Return what the request would come to. Raises CallFailed if the service stored a job."""
    if not reply.HasField("preview"):
        raise CallFailed(
            f"the service is older than validate_only and accepted job {reply.job_id}",
            reason="NOT_SUPPORTED",
            metadata={"job_id": reply.job_id},
        )
    return read_message(Validation, reply)
