"""All methods of scheduler.Scheduler: the handler and the limiter of each."""

from dataclasses import dataclass

import grpc

from gcsched.pb import task_pb2, task_pb2_grpc
from gcsched.rpc.batches import BatchMessage
from gcsched.rpc.call import Context
from gcsched.rpc.concurrency import CallLimits
from gcsched.rpc.methods.audit import AuditMethods
from gcsched.rpc.methods.jobs import ChangeJobMethods, ReadJobMethods
from gcsched.rpc.methods.meetings import MeetingMethods
from gcsched.rpc.methods.recipients import RecipientMethods
from gcsched.rpc.methods.schedule import ScheduleMethods
from gcsched.rpc.methods.sending import SendingMethods
from gcsched.rpc.methods.status import StatusMethods
from gcsched.rpc.methods.suppressions import SuppressionMethods
from gcsched.rpc.methods.templates import TemplateMethods


@dataclass(frozen=True, slots=True, kw_only=True)
class Handlers:
    """The handlers of the methods, one for each kind of resource."""

    schedule: ScheduleMethods
    read_jobs: ReadJobMethods
    change_jobs: ChangeJobMethods
    sending: SendingMethods
    status: StatusMethods
    suppressions: SuppressionMethods
    recipients: RecipientMethods
    templates: TemplateMethods
    meetings: MeetingMethods
    audit: AuditMethods


class SchedulerServicer(task_pb2_grpc.SchedulerServicer):
    """Answers each method by its handler; a method that is missing here is a type error.

    Methods that read or change stored data have a limiter. The others do not wait for other calls:
    requests to schedule share their writes and are limited there, a pause must not wait, and the
    rest uses no store.
    """

    def __init__(self, handlers: Handlers, limits: CallLimits | None = None) -> None:
        self._handlers = handlers
        self._limits = limits or CallLimits()

    def add_to(self, server: grpc.aio.Server) -> None:
        """Register all methods of the contract with *server*."""
        task_pb2_grpc.add_SchedulerServicer_to_server(self, server)

    async def ScheduleMeet(
        self, request: task_pb2.MeetRequest, context: Context
    ) -> task_pb2.MeetResponse:
        return await self._handlers.schedule.ScheduleMeet(request, context)

    async def BatchScheduleMeets(
        self, request: BatchMessage, context: Context
    ) -> task_pb2.BatchScheduleMeetsResponse:
        return await self._handlers.schedule.BatchScheduleMeets(request, context)

    async def GetJob(self, request: task_pb2.GetJobRequest, context: Context) -> task_pb2.Job:
        return await self._limits.reading.run(self._handlers.read_jobs.GetJob, request, context)

    async def ListJobs(
        self, request: task_pb2.ListJobsRequest, context: Context
    ) -> task_pb2.ListJobsResponse:
        return await self._limits.listing.run(self._handlers.read_jobs.ListJobs, request, context)

    async def CountJobs(
        self, request: task_pb2.CountJobsRequest, context: Context
    ) -> task_pb2.CountJobsResponse:
        return await self._limits.reading.run(self._handlers.read_jobs.CountJobs, request, context)

    async def CancelJob(self, request: task_pb2.CancelJobRequest, context: Context) -> task_pb2.Job:
        return await self._limits.changing.run(
            self._handlers.change_jobs.CancelJob, request, context
        )

    async def RescheduleJob(
        self, request: task_pb2.RescheduleJobRequest, context: Context
    ) -> task_pb2.Job:
        return await self._limits.changing.run(
            self._handlers.change_jobs.RescheduleJob, request, context
        )

    async def RetryJob(self, request: task_pb2.RetryJobRequest, context: Context) -> task_pb2.Job:
        return await self._limits.changing.run(
            self._handlers.change_jobs.RetryJob, request, context
        )

    async def ResolveJob(
        self, request: task_pb2.ResolveJobRequest, context: Context
    ) -> task_pb2.Job:
        return await self._limits.changing.run(
            self._handlers.change_jobs.ResolveJob, request, context
        )

    async def CancelJobs(
        self, request: task_pb2.ChangeJobsRequest, context: Context
    ) -> task_pb2.ChangeJobsResponse:
        return await self._limits.changing_many.run(
            self._handlers.change_jobs.CancelJobs, request, context
        )

    async def RetryJobs(
        self, request: task_pb2.ChangeJobsRequest, context: Context
    ) -> task_pb2.ChangeJobsResponse:
        return await self._limits.changing_many.run(
            self._handlers.change_jobs.RetryJobs, request, context
        )

    async def RunDailyQueue(
        self, request: task_pb2.RunDailyQueueRequest, context: Context
    ) -> task_pb2.RunDailyQueueResponse:
        return await self._limits.changing_many.run(
            self._handlers.sending.RunDailyQueue, request, context
        )

    async def PauseSending(
        self, request: task_pb2.PauseSendingRequest, context: Context
    ) -> task_pb2.Pause:
        return await self._handlers.sending.PauseSending(request, context)

    async def ResumeSending(
        self, request: task_pb2.ResumeSendingRequest, context: Context
    ) -> task_pb2.ResumeSendingResponse:
        return await self._handlers.sending.ResumeSending(request, context)

    async def GetStatus(
        self, request: task_pb2.GetStatusRequest, context: Context
    ) -> task_pb2.StatusReport:
        return await self._handlers.status.GetStatus(request, context)

    async def ListSuppressions(
        self, request: task_pb2.ListSuppressionsRequest, context: Context
    ) -> task_pb2.ListSuppressionsResponse:
        return await self._limits.reading.run(
            self._handlers.suppressions.ListSuppressions, request, context
        )

    async def GetSuppression(
        self, request: task_pb2.GetSuppressionRequest, context: Context
    ) -> task_pb2.Suppression:
        return await self._limits.reading.run(
            self._handlers.suppressions.GetSuppression, request, context
        )

    async def AddSuppression(
        self, request: task_pb2.AddSuppressionRequest, context: Context
    ) -> task_pb2.Suppression:
        return await self._limits.changing.run(
            self._handlers.suppressions.AddSuppression, request, context
        )

    async def RemoveSuppression(
        self, request: task_pb2.RemoveSuppressionRequest, context: Context
    ) -> task_pb2.RemoveSuppressionResponse:
        return await self._limits.changing.run(
            self._handlers.suppressions.RemoveSuppression, request, context
        )

    async def GetRecipient(
        self, request: task_pb2.GetRecipientRequest, context: Context
    ) -> task_pb2.Recipient:
        return await self._limits.reading.run(
            self._handlers.recipients.GetRecipient, request, context
        )

    async def ForgetRecipient(
        self, request: task_pb2.ForgetRecipientRequest, context: Context
    ) -> task_pb2.ForgetRecipientResponse:
        return await self._limits.changing_many.run(
            self._handlers.recipients.ForgetRecipient, request, context
        )

    async def ListTemplates(
        self, request: task_pb2.ListTemplatesRequest, context: Context
    ) -> task_pb2.ListTemplatesResponse:
        return await self._handlers.templates.ListTemplates(request, context)

    async def PreviewTemplate(
        self, request: task_pb2.PreviewTemplateRequest, context: Context
    ) -> task_pb2.Preview:
        return await self._handlers.templates.PreviewTemplate(request, context)

    async def SendTestMail(
        self, request: task_pb2.SendTestMailRequest, context: Context
    ) -> task_pb2.MeetResponse:
        return await self._handlers.templates.SendTestMail(request, context)

    async def CreateMeeting(
        self, request: task_pb2.CreateMeetingRequest, context: Context
    ) -> task_pb2.Meeting:
        return await self._limits.changing_meetings.run(
            self._handlers.meetings.CreateMeeting, request, context
        )

    async def GetMeeting(
        self, request: task_pb2.GetMeetingRequest, context: Context
    ) -> task_pb2.Meeting:
        return await self._limits.reading.run(self._handlers.meetings.GetMeeting, request, context)

    async def ListMeetings(
        self, request: task_pb2.ListMeetingsRequest, context: Context
    ) -> task_pb2.ListMeetingsResponse:
        return await self._limits.listing.run(
            self._handlers.meetings.ListMeetings, request, context
        )

    async def UpdateMeeting(
        self, request: task_pb2.UpdateMeetingRequest, context: Context
    ) -> task_pb2.Meeting:
        return await self._limits.changing_meetings.run(
            self._handlers.meetings.UpdateMeeting, request, context
        )

    async def CancelMeeting(
        self, request: task_pb2.CancelMeetingRequest, context: Context
    ) -> task_pb2.Meeting:
        return await self._limits.changing_meetings.run(
            self._handlers.meetings.CancelMeeting, request, context
        )

    async def AddAttendees(
        self, request: task_pb2.AddAttendeesRequest, context: Context
    ) -> task_pb2.Meeting:
        return await self._limits.changing_meetings.run(
            self._handlers.meetings.AddAttendees, request, context
        )

    async def RemoveAttendees(
        self, request: task_pb2.RemoveAttendeesRequest, context: Context
    ) -> task_pb2.Meeting:
        return await self._limits.changing_meetings.run(
            self._handlers.meetings.RemoveAttendees, request, context
        )

    async def GetMeetingCalendar(
        self, request: task_pb2.GetMeetingCalendarRequest, context: Context
    ) -> task_pb2.CalendarFile:
        return await self._limits.reading.run(
            self._handlers.meetings.GetMeetingCalendar, request, context
        )

    async def ListAudit(
        self, request: task_pb2.ListAuditRequest, context: Context
    ) -> task_pb2.ListAuditResponse:
        return await self._limits.reading.run(self._handlers.audit.ListAudit, request, context)


READ_ONLY = {
    method.__name__
    for method in (
        SchedulerServicer.GetJob,
        SchedulerServicer.ListJobs,
        SchedulerServicer.CountJobs,
        SchedulerServicer.ListSuppressions,
        SchedulerServicer.GetSuppression,
        SchedulerServicer.GetRecipient,
        SchedulerServicer.GetMeeting,
        SchedulerServicer.ListMeetings,
        SchedulerServicer.GetMeetingCalendar,
        SchedulerServicer.ListAudit,
    )
}
"""The methods that read stored data and change nothing: a caller may repeat them."""
