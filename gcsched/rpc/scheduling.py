"""ScheduleMeet: convert, call the use case, convert."""

from dataclasses import dataclass

import grpc
from google.protobuf.message import Message

from gcsched.pb import task_pb2
from gcsched.rpc.convert import errors_as_status, request_from
from gcsched.rpc.limits import check_size, time_left
from gcsched.usecases.submit import Submit


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheduling:
    submit: Submit

    async def ScheduleMeet(
        self,
        request: task_pb2.MeetRequest,
        context: grpc.aio.ServicerContext[Message, Message],
    ) -> task_pb2.MeetResponse:
        async with errors_as_status(context):
            within = await time_left(context)
            check_size(request)
            admitted = await self.submit(request_from(request), within=within)
        return task_pb2.MeetResponse(success=True, job_id=admitted.job_id)
