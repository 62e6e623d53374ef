"""The service's rules for the requests of the other methods, which a fake does not answer itself.

Imported at the first such call: the rules lie beside the handlers of the service. The token of a
page is not checked, because tests make up their own.
"""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, TypeAlias

from gcsched.domain.access import ANYONE
from gcsched.domain.address import parse_stored_address
from gcsched.domain.checks import Checked, accept_value, require_valid
from gcsched.domain.commands import Retry, parse_cancel, parse_reschedule
from gcsched.domain.due import KEEP_TRYING
from gcsched.domain.meetings.checking import Checking
from gcsched.domain.meetings.creation_checks import read_new_meeting
from gcsched.domain.page_token import parse_page_size
from gcsched.domain.pause import parse_optional_by, parse_pause
from gcsched.domain.validation import empid_violations, job_id_violations
from gcsched.rpc.call import MAX_REQUEST, check_size
from gcsched.rpc.meeting_parsers import MAX_MEETING_REQUEST, MEETING_PARSERS
from gcsched.rpc.meeting_requests import draft_from, meeting_id_violations
from gcsched.rpc.methods.audit import list_from
from gcsched.rpc.methods.jobs import (
    bulk_change_from,
    check_job_command,
    page_from,
    resolve_command_from,
)
from gcsched.rpc.methods.meetings import (
    calendar_email_from,
    cancellation_from,
    get_violations,
    removal_from,
)
from gcsched.rpc.methods.meetings import page_from as meeting_page_from
from gcsched.rpc.methods.suppressions import suppression_from
from gcsched.rpc.requests import filter_from
from gcsched.testing.admission import FakeAdmission

RETRY = Retry(keep_trying=KEEP_TRYING, window=timedelta(hours=24))


Rule: TypeAlias = Callable[[Any, FakeAdmission], Checked[Any]]


def reschedule_from(request: Any, admission: FakeAdmission) -> Checked[Any]:
    command = parse_reschedule(
        request.timestamp,
        plan=admission.context.daily_plan,
        keep_trying=KEEP_TRYING,
        now=admission.now(),
    )
    yield from check_job_command(request, command)


def creation_from(request: Any, admission: FakeAdmission) -> Checked[Any]:
    checking = Checking(context=admission.context, client=ANYONE, now=admission.now())
    draft = draft_from(request.meeting, request_id=request.request_id)
    yield from read_new_meeting(draft, checking)


RULES: Mapping[str, Rule] = {
    "GetJob": lambda request, _: job_id_violations(request.job_id),
    "ListJobs": lambda request, _: page_from(request),
    "CountJobs": lambda request, _: filter_from(request.filter),
    "CancelJob": lambda request, _: check_job_command(request, parse_cancel(request.reason)),
    "RescheduleJob": reschedule_from,
    "RetryJob": lambda request, _: check_job_command(request, accept_value(RETRY)),
    "ResolveJob": lambda request, _: check_job_command(request, resolve_command_from(request)),
    "CancelJobs": lambda request, _: bulk_change_from(request, parse_cancel(request.reason)),
    "RetryJobs": lambda request, _: bulk_change_from(request, accept_value(RETRY)),
    "PauseSending": lambda request, admission: parse_pause(
        request.by, request.reason, start_time=admission.now()
    ),
    "ResumeSending": lambda request, _: parse_optional_by(request.by),
    "ListSuppressions": lambda request, _: parse_page_size(request.page_size),
    "GetSuppression": lambda request, _: parse_stored_address(request.email, field="email"),
    "AddSuppression": lambda request, admission: suppression_from(
        request, rules=admission.context.address_rules, now=admission.now()
    ),
    "RemoveSuppression": lambda request, _: parse_stored_address(request.email, field="email"),
    "GetRecipient": lambda request, _: empid_violations(request.empid),
    "ForgetRecipient": lambda request, _: empid_violations(request.empid),
    "ListAudit": lambda request, _: list_from(request),
    "CreateMeeting": creation_from,
    "GetMeeting": lambda request, _: get_violations(request),
    "ListMeetings": lambda request, _: meeting_page_from(request),
    "UpdateMeeting": lambda request, _: meeting_id_violations(
        request.meeting.meeting_id, "meeting.meeting_id"
    ),
    "CancelMeeting": lambda request, _: cancellation_from(request),
    "AddAttendees": lambda request, _: meeting_id_violations(request.meeting_id),
    "RemoveAttendees": lambda request, _: removal_from(request),
    "GetMeetingCalendar": lambda request, _: calendar_email_from(request),
}


def check_request(method: str, request: Any, admission: FakeAdmission) -> None:
    """Raise InvalidRequest or RequestTooLarge if the service would refuse *request*."""
    check_size(request, largest=MAX_MEETING_REQUEST if method in MEETING_PARSERS else MAX_REQUEST)
    if method in RULES:
        require_valid(RULES[method](request, admission))
