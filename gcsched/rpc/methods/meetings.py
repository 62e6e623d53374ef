"""The methods for meetings: convert the request, call the use case, convert the reply."""

from dataclasses import dataclass
from typing import NoReturn

import grpc

from gcsched.pb import task_pb2
from gcsched.rpc.call import Context


@dataclass(frozen=True, slots=True, kw_only=True)
class MeetingMethods:
    async def CreateMeeting(
        self, _: task_pb2.CreateMeetingRequest, context: Context
    ) -> task_pb2.Meeting:
        await refuse(context)

    async def GetMeeting(self, _: task_pb2.GetMeetingRequest, context: Context) -> task_pb2.Meeting:
        await refuse(context)

    async def ListMeetings(
        self, _: task_pb2.ListMeetingsRequest, context: Context
    ) -> task_pb2.ListMeetingsResponse:
        await refuse(context)

    async def UpdateMeeting(
        self, _: task_pb2.UpdateMeetingRequest, context: Context
    ) -> task_pb2.Meeting:
        await refuse(context)

    async def CancelMeeting(
        self, _: task_pb2.CancelMeetingRequest, context: Context
    ) -> task_pb2.Meeting:
        await refuse(context)

    async def AddAttendees(
        self, _: task_pb2.AddAttendeesRequest, context: Context
    ) -> task_pb2.Meeting:
        await refuse(context)

    async def RemoveAttendees(
        self, _: task_pb2.RemoveAttendeesRequest, context: Context
    ) -> task_pb2.Meeting:
        await refuse(context)

    async def GetMeetingCalendar(
        self, _: task_pb2.GetMeetingCalendarRequest, context: Context
    ) -> task_pb2.CalendarFile:
        await refuse(context)


async def refuse(context: Context) -> NoReturn:
    await context.abort(grpc.StatusCode.UNIMPLEMENTED, "meetings are not served yet")
