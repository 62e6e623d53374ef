"""The fake of gcsched.testing answers, records, and fails as a test says."""

from datetime import UTC, datetime, timedelta

import pytest

from gcsched.client import (
    CallFailed,
    Client,
    ClientClosed,
    InvalidArgument,
    RefusedDuplicate,
    ResourceExhausted,
    ScheduledJob,
    Unavailable,
)
from gcsched.errors import UnknownJob
from gcsched.pb import task_pb2
from gcsched.testing import FakeScheduler, ScheduledRequest
from tests.support.template_folders import BUILT_IN

AT = datetime(2030, 5, 17, 14, tzinfo=UTC)


def schedule(client: Client, empid: str = "E1815") -> ScheduledJob:
    return client.schedule_meet(empid=empid, email="ada@example.org", message="Hi", at=AT)


def batch(*empids: str) -> task_pb2.BatchScheduleMeetsRequest:
    requests = [
        task_pb2.MeetRequest(empid=each, emailID="ada@example.org", message="Hi", timestamp=1)
        for each in empids
    ]
    return task_pb2.BatchScheduleMeetsRequest(requests=requests)


def test_it_records_all_that_a_request_says(fake: FakeScheduler, client: Client) -> None:
    job = client.schedule_meet(
        empid="E1815",
        email="ada@EXAMPLE.org",
        message=" Interview on Friday ",
        name="Ada",
        at=AT,
        request_id="r-1",
        template="offer",
        variables={"link": "https://example.org"},
        not_after=AT + timedelta(hours=1),
        reply_to="people@example.org",
        labels={"team": "people"},
        urgent=True,
    )

    assert fake.scheduled == [
        ScheduledRequest(
            empid="E1815",
            email="ada@example.org",
            message="Interview on Friday",
            name="Ada",
            at=AT,
            request_id="r-1",
            template="offer",
            variables={"link": "https://example.org"},
            not_after=AT + timedelta(hours=1),
            reply_to="people@example.org",
            labels={"team": "people"},
            urgent=True,
        )
    ]
    assert job == ScheduledJob(job_id=fake.scheduled[0].job_id)
    assert (job.outcome, job.state, job.due_time) == ("CREATED", "SCHEDULED", AT)


def test_a_repeated_request_is_a_new_job_because_nothing_is_stored(
    fake: FakeScheduler, client: Client
) -> None:
    first, second = schedule(client), schedule(client)

    assert first.job_id != second.job_id
    assert second.outcome == "CREATED"
    assert fake.scheduled[0] == fake.scheduled[1]


def test_a_test_decides_what_a_request_comes_to(fake: FakeScheduler, client: Client) -> None:
    replayed = task_pb2.MeetResponse(
        success=True, job_id="7", outcome=task_pb2.MeetResponse.REPLAYED
    )
    refused = task_pb2.MeetResponse(outcome=task_pb2.MeetResponse.REFUSED_DUPLICATE)
    fake.answer("ScheduleMeet", replayed, refused)

    assert schedule(client).job_id == "7"
    for _ in range(2):  # the last answer stays
        with pytest.raises(CallFailed, match="one mail per employee"):
            schedule(client)

    assert [each.job_id for each in fake.scheduled] == ["7"]


def test_a_dry_run_is_answered_and_not_recorded_as_scheduled(
    fake: FakeScheduler, client: Client
) -> None:
    request = batch("E1").requests[0]
    request.validate_only = True

    reply = client.call("ScheduleMeet", request)

    assert (reply.success, reply.job_id, reply.outcome) == (True, "", 0)
    assert reply.preview.subject == "Hi"
    assert fake.scheduled == []
    assert [call.method for call in fake.calls] == ["ScheduleMeet"]


def test_each_request_of_a_batch_is_answered_by_itself(fake: FakeScheduler, client: Client) -> None:
    fake.fail_for("E2", "CLIENT_LIMIT")

    reply = client.call("BatchScheduleMeets", batch("E1", "", "E2", "E4"))

    codes = [each.error.code for each in reply.answers]
    assert codes == [0, 3, 8, 0]
    assert [each.empid for each in fake.scheduled] == ["E1", "E4"]


def test_a_failure_of_schedule_meet_fails_one_request_of_a_batch(
    fake: FakeScheduler, client: Client
) -> None:
    fake.fail_next("OVERLOADED", method="ScheduleMeet", times=2)

    reply = client.call("BatchScheduleMeets", batch("E1", "E2", "E3"))

    assert [each.error.code for each in reply.answers] == [8, 8, 0]


def test_the_next_calls_fail_and_those_after_them_do_not(
    fake: FakeScheduler, client: Client
) -> None:
    fake.fail_next("STORE_UNAVAILABLE", times=2)

    for _ in range(2):
        with pytest.raises(Unavailable):
            schedule(client)
    schedule(client)

    assert [call.failure for call in fake.calls] == ["STORE_UNAVAILABLE", "STORE_UNAVAILABLE", ""]


def test_calls_of_a_method_fail_until_the_service_recovers(
    fake: FakeScheduler, client: Client
) -> None:
    fake.fail("STOPPING", method="ScheduleMeet")

    for _ in range(2):
        with pytest.raises(Unavailable, match="stopping"):
            schedule(client)
    client.call("ListTemplates", task_pb2.ListTemplatesRequest())
    fake.recover()

    schedule(client)


def test_an_error_of_the_client_is_raised_as_it_was_made(
    fake: FakeScheduler, client: Client
) -> None:
    fake.fail_next(
        ResourceExhausted(
            "enough for today",
            reason="CLIENT_LIMIT",
            metadata={"limit": "jobs_per_day"},
            retry_after=timedelta(milliseconds=5),
        )
    )

    with pytest.raises(ResourceExhausted, match="enough for today") as caught:
        schedule(client)

    assert caught.value.reason == "CLIENT_LIMIT"
    assert caught.value.metadata == {"limit": "jobs_per_day"}
    assert caught.value.retry_after == timedelta(milliseconds=5)


def test_another_method_needs_an_answer_and_the_error_says_so(
    fake: FakeScheduler, client: Client
) -> None:
    with pytest.raises(CallFailed, match=r"fake\.answer\('GetJob', task_pb2\.Job\(\.\.\.\)\)"):
        client.call("GetJob", task_pb2.GetJobRequest(job_id="7"))

    fake.answer("GetJob", task_pb2.Job(job_id="7", state=task_pb2.Job.SENT))
    assert client.call("GetJob", task_pb2.GetJobRequest(job_id="7")).state == task_pb2.Job.SENT


def test_an_answer_may_be_a_function_that_raises(fake: FakeScheduler, client: Client) -> None:
    def find(request: task_pb2.GetJobRequest) -> task_pb2.Job:
        if request.job_id == "8":
            raise UnknownJob(request.job_id)
        return task_pb2.Job(job_id=request.job_id)

    fake.answer("GetJob", find)

    assert client.call("GetJob", task_pb2.GetJobRequest(job_id="7")).job_id == "7"
    with pytest.raises(CallFailed, match="no job with id '8'") as caught:
        client.call("GetJob", task_pb2.GetJobRequest(job_id="8"))
    assert (caught.value.code, caught.value.reason) == ("NOT_FOUND", "JOB_NOT_FOUND")


def test_a_broken_answer_is_reported_to_the_caller(fake: FakeScheduler, client: Client) -> None:
    fake.answer("GetJob", lambda request: task_pb2.Job(job_id=request.jobid))
    fake.answer("GetStatus", lambda _: task_pb2.Job())

    with pytest.raises(CallFailed, match=r"answer that the test set for GetJob failed.*jobid"):
        client.call("GetJob", task_pb2.GetJobRequest(job_id="7"))
    with pytest.raises(CallFailed, match=r"use a task_pb2\.StatusReport"):
        client.call("GetStatus", task_pb2.GetStatusRequest())


def test_templates_are_those_of_the_test(fake: FakeScheduler, client: Client) -> None:
    listed = client.call("ListTemplates", task_pb2.ListTemplatesRequest())

    assert {each.name: list(each.required_variables) for each in listed.templates} == {
        "doc": [],
        **{name: ["meeting"] for name in BUILT_IN},
        "offer": ["link"],
    }
    with pytest.raises(InvalidArgument, match="must have a value for 'link'"):
        client.schedule_meet(
            empid="E1", email="ada@example.org", message="Hi", at=AT, template="offer"
        )
    assert fake.scheduled == []


def test_internal_domains_may_be_allowed() -> None:
    request = {"empid": "E1", "email": "ada@corp.local", "message": "Hi", "at": 1}

    with FakeScheduler(internal_domains="corp.local") as fake, Client(fake.target) as client:
        client.call("ScheduleMeet", meet_request(request))
        assert fake.scheduled[0].email == "ada@corp.local"


def meet_request(values: dict[str, object]) -> task_pb2.MeetRequest:
    return task_pb2.MeetRequest(
        empid=str(values["empid"]), emailID=str(values["email"]), message="Hi", timestamp=1
    )


def test_a_token_is_in_the_metadata_of_a_call_and_not_in_its_repr(fake: FakeScheduler) -> None:
    with Client(fake.target, token="gcs_secret") as client:
        schedule(client)

    [call] = fake.calls
    assert call.metadata["authorization"] == "Bearer gcs_secret"
    assert "gcs_secret" not in repr(call)


@pytest.mark.parametrize(
    ("failure", "method", "problem"),
    [
        ("STORE_UNAVAILBLE", "", "did you mean 'STORE_UNAVAILABLE'"),
        (ValueError("no"), "", r"an error of gcsched\.client"),
        ("STOPPING", "ScheduleMeets", "did you mean 'ScheduleMeet'"),
        (RefusedDuplicate(), "", r"fake\.answer\('ScheduleMeet'"),
        (ClientClosed(), "", "close it"),
    ],
)
def test_a_mistake_in_the_test_is_found_at_once(
    fake: FakeScheduler, failure: object, method: str, problem: str
) -> None:
    fail: object = fake.fail_next
    assert callable(fail)

    with pytest.raises((ValueError, TypeError), match=problem):
        fail(failure, method=method)


def test_reset_forgets_all(fake: FakeScheduler, client: Client) -> None:
    fake.answer("ScheduleMeet", task_pb2.MeetResponse(success=True, job_id="7"))
    schedule(client)
    fake.fail("STOPPING")

    fake.reset()

    assert (fake.calls, fake.scheduled) == ([], [])
    assert schedule(client).job_id != "7"
