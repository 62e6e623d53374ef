"""For each method of the clients: arguments, the request that they are, and a reply."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from google.protobuf.message import Message

from gcsched.client import DAILY, MailRequest, Order, State, View
from gcsched.pb import task_pb2
from tests.support.fake_scheduler import ACCEPTED

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
NOON_SECONDS = 1767614400
JOB = task_pb2.Job(job_id="7", state=task_pb2.Job.SENT)
SUPPRESSION = task_pb2.Suppression(email="a@example.org")
PREVIEW = task_pb2.Preview(subject="Hi")
VALIDATED = task_pb2.MeetResponse(success=True, preview=PREVIEW)
MAIL: dict[str, Any] = {"empid": "E1", "email": "a@example.org", "message": "Hi"}
FILTER = task_pb2.JobFilter(state=task_pb2.Job.FAILED, due_time_before=NOON, client="hr")
WHICH: dict[str, Any] = {"state": State.FAILED, "due_time_before": NOON, "client": "hr"}
PREVIEWED = {**MAIL, "variables": {"room": "4.2"}, "name": "Ada"}


def meet(**more: Any) -> task_pb2.MeetRequest:
    return task_pb2.MeetRequest(empid="E1", emailID="a@example.org", message="Hi", **more)


@dataclass(frozen=True, slots=True)
class MethodCase:
    """A call of *method*, and the text that its result shows."""

    method: str
    given: dict[str, Any]
    rpc: str
    request: Message
    reply: Message
    shown: str


CASES = [
    MethodCase(
        "schedule",
        {**MAIL, "at": NOON, "name": "Ada", "urgent": True, "not_after": NOON_SECONDS + 1},
        "ScheduleMeet",
        meet(
            timestamp=NOON_SECONDS,
            empName="Ada",
            priority=task_pb2.URGENT,
            not_after=NOON_SECONDS + 1,
        ),
        ACCEPTED,
        "job_id='7'",
    ),
    MethodCase(
        "validate",
        {**MAIL, "at": DAILY, "labels": {"a": "b"}},
        "ScheduleMeet",
        meet(validate_only=True, labels={"a": "b"}),
        VALIDATED,
        "success=True",
    ),
    MethodCase(
        "schedule_meet", {**MAIL, "at": None}, "ScheduleMeet", meet(), ACCEPTED, "job_id='7'"
    ),
    MethodCase(
        "schedule_many",
        {"requests": [MailRequest(**MAIL, at=DAILY)]},
        "BatchScheduleMeets",
        task_pb2.BatchScheduleMeetsRequest(requests=[meet()]),
        task_pb2.BatchScheduleMeetsResponse(
            answers=[task_pb2.BatchScheduleMeetsResponse.Answer(response=ACCEPTED)]
        ),
        "[ScheduledJob(job_id='7'",
    ),
    MethodCase(
        "get_job", {"job_id": "7"}, "GetJob", task_pb2.GetJobRequest(job_id="7"), JOB, "SENT"
    ),
    MethodCase(
        "list_jobs",
        {**WHICH, "order": Order.DUE_TIME_DESC, "view": View.FULL, "page_size": 9},
        "ListJobs",
        task_pb2.ListJobsRequest(
            filter=FILTER,
            order=task_pb2.ListJobsRequest.DUE_TIME_DESC,
            view=task_pb2.Job.FULL,
            page_size=9,
        ),
        task_pb2.ListJobsResponse(jobs=[JOB]),
        "[Job(job_id='7'",
    ),
    MethodCase(
        "count_jobs",
        {
            "due_time_from": 0,
            "empid": "E1",
            "email": "a",
            "request_id": "r",
            "id_prefix": "7",
            "meeting_id": "M",
        },
        "CountJobs",
        task_pb2.CountJobsRequest(
            filter=task_pb2.JobFilter(
                due_time_from=datetime(1970, 1, 1, tzinfo=UTC),
                empid="E1",
                email="a",
                request_id="r",
                id_prefix="7",
                meeting_id="M",
            )
        ),
        task_pb2.CountJobsResponse(count=10_000, has_more=True),
        "JobCount(count=10000, has_more=True)",
    ),
    MethodCase(
        "cancel",
        {"job_id": "7", "etag": "e", "reason": "moved"},
        "CancelJob",
        task_pb2.CancelJobRequest(job_id="7", etag="e", reason="moved"),
        JOB,
        "job_id='7'",
    ),
    MethodCase(
        "reschedule",
        {"job_id": "7", "etag": "e", "at": NOON},
        "RescheduleJob",
        task_pb2.RescheduleJobRequest(job_id="7", etag="e", timestamp=NOON_SECONDS),
        JOB,
        "job_id='7'",
    ),
    MethodCase(
        "retry",
        {"job_id": "7", "etag": "e"},
        "RetryJob",
        task_pb2.RetryJobRequest(job_id="7", etag="e"),
        JOB,
        "job_id='7'",
    ),
    MethodCase(
        "resolve",
        {"job_id": "7", "etag": "e", "state": "SENT", "reason": "seen"},
        "ResolveJob",
        task_pb2.ResolveJobRequest(job_id="7", etag="e", state=task_pb2.Job.SENT, reason="seen"),
        JOB,
        "job_id='7'",
    ),
    MethodCase(
        "cancel_jobs",
        {**WHICH, "reason": "moved", "validate_only": True},
        "CancelJobs",
        task_pb2.ChangeJobsRequest(filter=FILTER, reason="moved", validate_only=True),
        task_pb2.ChangeJobsResponse(count=3),
        "3",
    ),
    MethodCase(
        "retry_jobs",
        {"all": True},
        "RetryJobs",
        task_pb2.ChangeJobsRequest(filter=task_pb2.JobFilter(), all=True),
        task_pb2.ChangeJobsResponse(count=3),
        "3",
    ),
    MethodCase(
        "run_daily_queue",
        {},
        "RunDailyQueue",
        task_pb2.RunDailyQueueRequest(),
        task_pb2.RunDailyQueueResponse(count=3),
        "3",
    ),
    MethodCase(
        "pause",
        {"by": "ada", "reason": "why"},
        "PauseSending",
        task_pb2.PauseSendingRequest(by="ada", reason="why"),
        task_pb2.Pause(by="ada"),
        "Pause(by='ada'",
    ),
    MethodCase(
        "resume",
        {"by": "ada"},
        "ResumeSending",
        task_pb2.ResumeSendingRequest(by="ada"),
        task_pb2.ResumeSendingResponse(pause=task_pb2.Pause(by="bob")),
        "Pause(by='bob'",
    ),
    MethodCase(
        "status",
        {},
        "GetStatus",
        task_pb2.GetStatusRequest(),
        task_pb2.StatusReport(version="1.2"),
        "version='1.2'",
    ),
    MethodCase(
        "list_suppressions",
        {"page_size": 9},
        "ListSuppressions",
        task_pb2.ListSuppressionsRequest(page_size=9),
        task_pb2.ListSuppressionsResponse(suppressions=[SUPPRESSION]),
        "[Suppression(email='a@example.org'",
    ),
    MethodCase(
        "get_suppression",
        {"email": "a@example.org"},
        "GetSuppression",
        task_pb2.GetSuppressionRequest(email="a@example.org"),
        SUPPRESSION,
        "email='a@example.org'",
    ),
    MethodCase(
        "add_suppression",
        {"email": "a@example.org", "reason": "why", "expire_time": NOON_SECONDS},
        "AddSuppression",
        task_pb2.AddSuppressionRequest(email="a@example.org", reason="why", expire_time=NOON),
        SUPPRESSION,
        "email='a@example.org'",
    ),
    MethodCase(
        "remove_suppression",
        {"email": "A@example.org"},
        "RemoveSuppression",
        task_pb2.RemoveSuppressionRequest(email="A@example.org"),
        task_pb2.RemoveSuppressionResponse(suppression=SUPPRESSION),
        "email='a@example.org'",
    ),
    MethodCase(
        "get_recipient",
        {"empid": "E1"},
        "GetRecipient",
        task_pb2.GetRecipientRequest(empid="E1"),
        task_pb2.Recipient(empid="E1", accepted_count=2),
        "accepted_count=2",
    ),
    MethodCase(
        "forget_recipient",
        {"empid": "E1"},
        "ForgetRecipient",
        task_pb2.ForgetRecipientRequest(empid="E1"),
        task_pb2.ForgetRecipientResponse(erased_jobs=2),
        "erased_jobs=2",
    ),
    MethodCase(
        "list_templates",
        {},
        "ListTemplates",
        task_pb2.ListTemplatesRequest(),
        task_pb2.ListTemplatesResponse(
            templates=[task_pb2.Template(name="doc", required_variables=["room"])]
        ),
        "[Template(name='doc', required_variables=('room',)",
    ),
    MethodCase(
        "preview_template",
        {"template": "doc", **PREVIEWED},
        "PreviewTemplate",
        task_pb2.PreviewTemplateRequest(template="doc", **PREVIEWED),
        PREVIEW,
        "subject='Hi'",
    ),
    MethodCase(
        "send_test_mail",
        {"template": "doc", **PREVIEWED, "request_id": "r", "sender": "pay@example.org"},
        "SendTestMail",
        task_pb2.SendTestMailRequest(
            template="doc", request_id="r", sender="pay@example.org", **PREVIEWED
        ),
        ACCEPTED,
        "job_id='7'",
    ),
    MethodCase(
        "list_audit",
        {"client": "hr", "subject": "E1", "from_time": NOON, "before_time": NOON, "page_size": 9},
        "ListAudit",
        task_pb2.ListAuditRequest(
            client="hr", subject="E1", from_time=NOON, before_time=NOON, page_size=9
        ),
        task_pb2.ListAuditResponse(
            entries=[task_pb2.AuditEntry(id="1", outcome=task_pb2.AuditEntry.DONE)]
        ),
        "outcome='DONE'",
    ),
]
