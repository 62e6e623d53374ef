"""Every error that can reach a caller has a code, a reason and its details."""

from base64 import b64encode
from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import quote

import pytest
from google.rpc import code_pb2, error_details_pb2

from gcsched import errors
from gcsched.errors import GcschedError, InvalidRequest, UnknownJob, Violation
from gcsched.rpc.status import STATUS, status_of
from tests.support.builders import NOW

INTERNAL_ERRORS = {
    errors.CannotListen,
    errors.RedisUnavailable,
    errors.EmbeddedStoreProblem,
    errors.MalformedMail,
    errors.BackgroundTaskEnded,
    errors.SettingsProblems,
    errors.TemplateProblem,
}
EXAMPLES: list[GcschedError] = [
    errors.InvalidRequest([Violation("empid", "must not be empty")]),
    errors.Unauthenticated("the call has no token"),
    errors.ScopeMissing("payroll", "CancelJob", ("steer",)),
    errors.ClientLimit("payroll", "jobs_per_day", "has 5", retry_after=timedelta(seconds=1)),
    errors.RequestIdReused("R", "job-1"),
    errors.RequestTooLarge(2, 1),
    errors.UnknownJob("job-1"),
    errors.UnreadableJob("job-1"),
    errors.UnknownSuppression(),
    errors.UnknownRecipient("E1"),
    errors.IllegalTransition("job-1", "SENT", "CANCELLED", state_time=NOW, why="its mail was sent"),
    errors.DuplicateJob("job-1", "job-2"),
    errors.EtagMismatch("job-1"),
    errors.JobContended("job-1", 5),
    errors.JobSuperseded("job-1", "meeting-1", why="it is superseded by revision 2"),
    errors.UnknownMeeting("meeting-1"),
    errors.UnreadableMeeting("meeting-1"),
    errors.UnknownAttendee("meeting-1", ["emails[1]"]),
    errors.MeetingOver("meeting-1", NOW),
    errors.MeetingCancelled("meeting-1"),
    errors.MeetingContended("meeting-1", 5),
    errors.BulkNotFinished(500),
    errors.DeadlineOver(),
    errors.InternalError(),
    errors.Overloaded(3),
    errors.MemoryFull(2**27, 2**28),
    errors.MalformedMessage("it has no message"),
    errors.MessageTimeout(timedelta(seconds=1)),
    errors.Stopping(),
    errors.StoreUnavailable("reading a job"),
    errors.StoreRefused("reading a job", "permission", "the user may not read"),
    errors.AdmissionClosed("index dedup_key of jobs is missing"),
    errors.Unauthenticated("the call has no token"),
    errors.ScopeMissing("payroll", "CancelJob", ["steer"]),
    errors.ClientLimit("payroll", "calls_per_second", "made 50 calls", retry_after=timedelta(1)),
]


def all_errors(base: type[GcschedError] = GcschedError) -> Iterator[type[GcschedError]]:
    for each in base.__subclasses__():
        yield each
        yield from all_errors(each)


def test_no_error_that_can_reach_a_caller_lacks_a_row() -> None:
    ours = {each for each in all_errors() if each.__module__.startswith(f"{errors.__name__}.")}

    assert set(STATUS) == ours - INTERNAL_ERRORS


def test_each_reason_belongs_to_one_error() -> None:
    reasons = [reason for _, reason in STATUS.values()]

    assert len(reasons) == len(set(reasons))
    assert all(reason.replace("_", "").isalpha() and reason.isupper() for reason in reasons)


def test_each_row_has_an_example() -> None:
    assert {type(error) for error in EXAMPLES} == set(STATUS)


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_each_carries_exactly_one_error_info(error: GcschedError) -> None:
    status = status_of(error)

    infos = [each for each in status.details if each.Is(error_details_pb2.ErrorInfo.DESCRIPTOR)]
    info = error_details_pb2.ErrorInfo()
    assert len(infos) == 1
    assert infos[0].Unpack(info)
    assert (status.code, info.reason, info.domain) == (*STATUS[type(error)], "gcsched")
    assert status.message == str(error) != ""


def test_metadata_says_which_job() -> None:
    info = error_details_pb2.ErrorInfo()
    status_of(UnknownJob("job-1")).details[0].Unpack(info)

    assert dict(info.metadata) == {"job_id": "job-1"}


def test_metadata_says_whether_it_was_a_job_or_a_meeting() -> None:
    assert errors.EtagMismatch("1").metadata == {"job_id": "1"}
    assert errors.EtagMismatch("2", kind="meeting").metadata == {"meeting_id": "2"}
    assert errors.RequestIdReused("R", "3", kind="meeting").metadata == {"meeting_id": "3"}


def test_all_violations_are_in_the_details() -> None:
    error = InvalidRequest(
        [Violation("empid", "is empty"), Violation("emailID", "is not an address")]
    )

    status = status_of(error)

    bad_request = error_details_pb2.BadRequest()
    assert status.code == code_pb2.INVALID_ARGUMENT
    assert status.details[1].Unpack(bad_request)
    reported = [(each.field, each.description) for each in bad_request.field_violations]
    assert reported == [("empid", "is empty"), ("emailID", "is not an address")]


def test_however_many_violations_the_status_fits_into_what_a_client_accepts() -> None:
    violations = [Violation(f"labels[{number}]", "ü" * 120) for number in range(200)]

    status = status_of(InvalidRequest(violations))

    bad_request = error_details_pb2.BadRequest()
    assert status.details[1].Unpack(bad_request)
    *reported, rest = bad_request.field_violations
    assert [each.field for each in reported] == [each.field for each in violations[: len(reported)]]
    assert rest.description.startswith(f"and {200 - len(reported)} more")
    in_header = len(quote(status.message)) + len(b64encode(status.SerializeToString()))
    assert in_header < 8_000
