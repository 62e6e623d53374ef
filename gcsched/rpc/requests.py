"""Convert requests from protobuf to the domain."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from gcsched.domain.address import parse_stored_address
from gcsched.domain.checks import Checked
from gcsched.domain.event import Event
from gcsched.domain.job import Priority, State
from gcsched.domain.job_list import (
    JobFilter,
    JobListQuery,
    JobOrder,
    filter_violations,
    parse_list_query,
    text_filter_violations,
)
from gcsched.domain.meeting import Person
from gcsched.domain.request import DEFAULT_TEMPLATE, INVITATION_TEMPLATE, MeetRequest
from gcsched.domain.validation import MAX_LABELS, MAX_VARIABLES
from gcsched.errors import Violation
from gcsched.pb import task_pb2

PRIORITIES = {task_pb2.Priority.Value(each.value): each for each in Priority}
VIEWS = task_pb2.Job.View.values()


def request_from(message: task_pb2.MeetRequest) -> MeetRequest:
    event = event_from(message.event) if message.HasField("event") else None
    return MeetRequest(
        empid=message.empid,
        email=message.emailID,
        message=message.message,
        name=message.empName,
        timestamp=message.timestamp,
        request_id=message.request_id,
        template=message.template or (INVITATION_TEMPLATE if event else DEFAULT_TEMPLATE),
        variables=copy_bounded(message.variables, limit=MAX_VARIABLES),
        not_after=message.not_after,
        reply_to=message.reply_to,
        labels=copy_bounded(message.labels, limit=MAX_LABELS),
        priority=PRIORITIES.get(message.priority),
        sender=message.sender,
        event=event,
    )


def event_from(message: task_pb2.Event) -> Event:
    return Event(
        start=message.start,
        end=message.end,
        duration=duration_from(message.duration) if message.HasField("duration") else None,
        time_zone=message.time_zone,
        location=message.location,
        url=message.url,
        description=message.description,
        organizer=(
            Person(email=message.organizer.email, name=message.organizer.name)
            if message.HasField("organizer")
            else None
        ),
        strict_time=message.strict_time,
    )


def duration_from(message: Duration) -> timedelta:
    """Convert a duration; one that Python cannot hold becomes one that no rule accepts."""
    try:
        return message.ToTimedelta()
    except (ValueError, OverflowError):
        return timedelta(0)


def copy_bounded(given: Mapping[str, str], *, limit: int) -> Mapping[str, str]:
    """Return a copy of *given*; *given* itself if it exceeds *limit* and will be refused."""
    if not given:
        return {}  # nearly always: dict() would take ten times as long to find nothing
    return dict(given) if len(given) <= limit else given


def filter_from(message: task_pb2.JobFilter) -> Checked[JobFilter]:
    """Parse a filter, with a violation unless an index serves it."""
    job_filter = yield from filter_fields_from(message)
    yield from filter_violations(job_filter)
    return job_filter


def listing_from(message: task_pb2.ListJobsRequest) -> Checked[JobListQuery]:
    """Parse the filter and the order of a list."""
    job_filter = yield from filter_fields_from(message.filter)
    order = yield from order_from(message.order)
    return (yield from parse_list_query(job_filter, order))


def filter_fields_from(message: task_pb2.JobFilter) -> Checked[JobFilter]:
    due_times: dict[str, datetime | None] = {}
    for name in ("due_time_from", "due_time_before"):
        if message.HasField(name):
            due_times[name] = yield from parse_timestamp(getattr(message, name), f"filter.{name}")
    yield from text_filter_violations(
        empid=message.empid,
        request_id=message.request_id,
        id_prefix=message.id_prefix,
        meeting_id=message.meeting_id,
        client=message.client,
    )
    state = yield from state_from(message.state, "filter.state")
    email = ""
    if message.email:
        email = yield from parse_stored_address(message.email, field="filter.email")
    return JobFilter(
        state=state,
        due_time_from=due_times.get("due_time_from"),
        due_time_before=due_times.get("due_time_before"),
        empid=message.empid,
        email=email,
        request_id=message.request_id,
        id_prefix=message.id_prefix,
        meeting_id=message.meeting_id,
        client=message.client,
    )


def order_from(number: int) -> Checked[JobOrder | None]:
    """Parse an order; None for 0."""
    try:
        return JobOrder(task_pb2.ListJobsRequest.Order.Name(number)) if number else None
    except ValueError:
        yield Violation("order", f"must be one of {', '.join(JobOrder)}, not {number}")
        return None


def state_from(number: int, field: str, *, otherwise: State | None = None) -> Checked[State | None]:
    """Parse a state; None for 0, *otherwise* for a number that is not a state."""
    try:
        return State(task_pb2.Job.State.Name(number)) if number else None
    except ValueError:
        yield Violation(field, f"must be one of {', '.join(State)}, not {number}")
        return otherwise


def full_view_from(view: task_pb2.Job.View) -> Checked[bool]:
    """Parse whether the caller requests jobs with all their texts."""
    if view not in VIEWS:
        yield Violation("view", f"must be BASIC or FULL, not {view}")
    return view == task_pb2.Job.FULL


def parse_timestamp(given: Timestamp, field: str) -> Checked[datetime | None]:
    """Parse a time; None if it is invalid."""
    try:
        return given.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        problem = f"must be a time in the years 1 to 9999: {error}"
    yield Violation(field, problem)
    return None
