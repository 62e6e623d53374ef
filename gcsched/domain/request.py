"""Requests for a mail, and their validation: every broken rule is reported. Pure."""

import dataclasses
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from msgspec import Struct, field
from msgspec.structs import replace

from gcsched.domain.access import Client
from gcsched.domain.address import is_plain_address, parse_new_address
from gcsched.domain.address_rules import AddressRules
from gcsched.domain.checks import Checked, require_valid
from gcsched.domain.client_limits import (
    is_restricted,
    may_send,
    recipient_violations,
    template_limit_violations,
)
from gcsched.domain.due import MAX_AHEAD, MILLISECOND_RANGE, DailyPlan
from gcsched.domain.event import MAX_SUMMARY_LENGTH, Event, Occasion, read_event
from gcsched.domain.invisible_text import invisible_violations
from gcsched.domain.job import Priority
from gcsched.domain.organizer import OrganizerRule
from gcsched.domain.recipient_list import RecipientList
from gcsched.domain.senders import DEFAULT, ONLY_DEFAULT, Senders
from gcsched.domain.validation import (
    MAX_EMPID_LENGTH,
    empid_violations,
    is_plain_text,
    label_violations,
    request_id_violations,
    text_violations,
    variable_violations,
)
from gcsched.errors import Violation

MAX_MESSAGE_LENGTH = 998  # RFC 5322, section 2.1.1
MAX_NAME_LENGTH = 256
DEFAULT_TEMPLATE = "doc"
INVITATION_TEMPLATE = "invitation"
MEETING = "meeting"
"""What templates call the meeting; those that require it are for requests with an event."""
MAX_REQUESTS = 1_000


class MeetRequest(Struct, frozen=True, kw_only=True):
    """A request: mail *message* to *email* at *timestamp* (Unix seconds, 0 = daily queue).

    ``not_after`` is in Unix seconds too, 0 for the operator's setting. A ``priority`` of None
    stands for a number that is not in the contract. ``sender`` is the one that the caller names,
    ``occasion`` is what a valid ``event`` means. With ``is_sample`` it is an example, by which the
    service shows what a template makes of a meeting.
    """

    empid: str
    email: str
    message: str
    name: str
    timestamp: int
    request_id: str = ""
    template: str = DEFAULT_TEMPLATE
    variables: Mapping[str, str] = field(default_factory=dict)
    not_after: int = 0
    reply_to: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    priority: Priority | None = Priority.NORMAL
    sender: str = DEFAULT
    event: Event | None = None
    occasion: Occasion | None = None
    is_sample: bool = False

    @property
    def is_daily(self) -> bool:
        return self.timestamp == 0

    @property
    def requested_time(self) -> datetime:
        return datetime.fromtimestamp(self.timestamp, UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestContext:
    """The configuration that a request is validated against.

    *templates* has the required variables of each. *reserved_names* are variables that every mail
    has, so that no caller may set them. *address_rules* allow domains beside the public ones.
    *allowed_recipients* are the only ones that may get mails; None: all may. *organizers* says who
    may invite to meetings.
    """

    templates: Mapping[str, Collection[str]]
    reserved_names: Collection[str]
    daily_plan: DailyPlan
    address_rules: AddressRules = AddressRules.PUBLIC
    allowed_recipients: RecipientList | None = None
    senders: Senders = ONLY_DEFAULT
    organizers: OrganizerRule = dataclasses.field(default_factory=OrganizerRule)

    def schedule_time(self, request: MeetRequest, *, now: datetime) -> datetime:
        """Return the second that *request* asks for, or the present one if that is past."""
        if request.is_daily:
            return self.daily_plan.run_time(self.daily_plan.next_run_day(now))
        requested = request.requested_time
        return requested if requested > now else max(requested, now.replace(microsecond=0))


def validate_request(
    raw: MeetRequest, *, now: datetime, context: RequestContext, client: Client
) -> MeetRequest:
    """Return *raw* of *client* with its text trimmed and its addresses normalised.

    Raises InvalidRequest with every violation, named by the fields of proto/task.proto.
    """
    limits = client.limits
    if is_plain(raw, now, context) and (
        not is_restricted(limits)
        or (may_send(raw.email, raw.template, limits) and not limits.senders)
    ):
        return raw
    return require_valid(read_request(raw, now, context, client))


def is_plain(raw: MeetRequest, now: datetime, context: RequestContext) -> bool:
    """Return whether *raw* is so plain that `read_request` would return it as it is.

    Nearly all requests are, and this takes half the time. False: only the full check can tell.
    """
    return (
        is_plain_text(raw.empid, at_most=MAX_EMPID_LENGTH)
        and is_plain_text(raw.message, at_most=MAX_MESSAGE_LENGTH)
        and is_plain_text(raw.name, at_most=MAX_NAME_LENGTH)
        and 0 <= raw.timestamp <= (now + MAX_AHEAD).timestamp()
        and (required := context.templates.get(raw.template)) is not None
        and not required
        and not (raw.variables or raw.labels or raw.request_id or raw.reply_to or raw.not_after)
        and not raw.sender
        and raw.event is None
        and raw.priority is not None
        and is_plain_address(raw.email, rules=context.address_rules)
        and (context.allowed_recipients is None or context.allowed_recipients.allows(raw.email))
    )


def read_request(
    raw: MeetRequest, now: datetime, context: RequestContext, client: Client
) -> Checked[MeetRequest]:
    message = raw.message.strip()
    yield from empid_violations(raw.empid)
    yield from invisible_violations("empid", raw.empid)
    email = yield from parse_new_address(raw.email, field="emailID", rules=context.address_rules)
    if email:
        yield from recipient_violations(email, client)
        yield from recipient_list_violations(email, context.allowed_recipients)
    longest = MAX_MESSAGE_LENGTH if raw.event is None else MAX_SUMMARY_LENGTH
    yield from text_violations("message", message, at_least=1, at_most=longest)
    yield from text_violations("empName", raw.name, at_least=0, at_most=MAX_NAME_LENGTH)
    time_violations = list(
        second_violations("timestamp", raw.timestamp, now, zero_means="the next daily run")
    )
    yield from time_violations
    if raw.request_id:
        yield from request_id_violations(raw.request_id)
    yield from template_violations(raw, context, client)
    if raw.not_after and not time_violations:
        yield from not_after_violations(raw, now, context)
    reply_to = ""
    if raw.reply_to:
        reply_to = yield from parse_new_address(
            raw.reply_to, field="reply_to", rules=context.address_rules
        )
    if raw.labels:
        yield from label_violations(raw.labels)
    yield from priority_violations(raw.priority)
    sender = yield from context.senders.read_choice(raw.sender, client)
    if raw.event is not None:
        occasion = yield from read_event(
            raw.event,
            now=now,
            attendee=email,
            organizers=context.organizers.of_sender(context.senders.choose(sender, client)),
            rules=context.address_rules,
        )
        if occasion is not None and occasion.start > now and not time_violations:
            yield from mail_time_violations(raw, occasion, now, context)
        raw = replace(raw, occasion=occasion)
    found = (email, message, reply_to, sender)
    if found == (raw.email, raw.message, raw.reply_to, raw.sender):
        return raw  # nearly always: a copy costs more than all the checks
    return replace(raw, email=email, message=message, reply_to=reply_to, sender=sender)


def mail_time_violations(
    raw: MeetRequest, occasion: Occasion, now: datetime, context: RequestContext
) -> Checked[None]:
    """Check that the mail of *raw* can come before the start."""
    start = f"the start of the event, {occasion.start:%Y-%m-%dT%H:%MZ}"
    if context.schedule_time(raw, now=now) >= occasion.start:
        when = "the next daily run" if raw.is_daily else "the mail"
        yield Violation("timestamp", f"must let {when} be before {start}")
    if raw.not_after > occasion.start.timestamp():
        yield Violation("not_after", f"must not be after {start}")


def recipient_list_violations(email: str, allowed: RecipientList | None) -> Checked[None]:
    """Check *email*, a normalised address; the error does not tell which addresses are allowed."""
    if allowed is not None and not allowed.allows(email):
        problem = "must be an address that this service may mail: GCSCHED_ALLOWED_RECIPIENTS"
        yield Violation("emailID", f"{problem} restricts them, which only its operator can change")


def batch_violations(count: int) -> Checked[None]:
    if not 1 <= count <= MAX_REQUESTS:
        yield Violation("requests", f"must be 1 to {MAX_REQUESTS}, are {count}")


def second_violations(
    field: str, second: int, after: datetime, *, zero_means: str
) -> Checked[None]:
    """Check Unix seconds that are at most ten years after *after*; 0 means *zero_means*."""
    if second < 0:
        yield Violation(field, f"must not be negative; 0 means {zero_means}")
    elif second in MILLISECOND_RANGE:
        yield Violation(
            field,
            f"must be in Unix seconds; {second} looks like milliseconds,"
            f" {second // 1000} would be in seconds",
        )
    elif second > (after + MAX_AHEAD).timestamp():
        yield Violation(field, "must not be more than ten years ahead")


def not_after_violations(raw: MeetRequest, now: datetime, context: RequestContext) -> Checked[None]:
    scheduled = context.schedule_time(raw, now=now)
    violations = list(
        second_violations(
            "not_after", raw.not_after, scheduled, zero_means="the operator's setting"
        )
    )
    yield from violations
    if not violations and raw.not_after < scheduled.timestamp():
        moment = f"{int(scheduled.timestamp())} ({scheduled.isoformat(timespec='seconds')})"
        yield Violation("not_after", f"must not be before the schedule time, {moment}")


def template_violations(raw: MeetRequest, context: RequestContext, client: Client) -> Checked[None]:
    """Check the template, and the variables as far as possible without a valid template."""
    required = context.templates.get(raw.template)
    if client.limits.templates:
        yield from template_limit_violations(raw.template, client, context.templates)
    elif required is None:
        yield Violation("template", f"must be one of {', '.join(sorted(context.templates))}")
    if required and MEETING in required:
        required = [name for name in required if name != MEETING]
        if raw.event is None:
            yield Violation("template", f"shows a meeting: {raw.template!r} needs an event")
    if raw.variables or required:
        yield from variable_violations(
            raw.variables, required=required or (), reserved=context.reserved_names
        )


def priority_violations(priority: Priority | None) -> Checked[None]:
    if priority is None:
        yield Violation("priority", "must be NORMAL (0) or URGENT (1)")
