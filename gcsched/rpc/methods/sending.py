"""RunDailyQueue, PauseSending and ResumeSending: convert, call the use case, convert."""

from dataclasses import dataclass

from gcsched.domain.checks import require_valid
from gcsched.domain.pause import parse_optional_by, parse_pause
from gcsched.pb import task_pb2
from gcsched.rpc.call import MAX_BULK_CALL, Context, call_scope
from gcsched.rpc.caller import current_actor
from gcsched.rpc.methods.status import pause_message
from gcsched.usecases.audited_acts import AuditedSending
from gcsched.usecases.ports import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class SendingMethods:
    sending: AuditedSending
    now: Clock

    async def RunDailyQueue(
        self, request: task_pb2.RunDailyQueueRequest, context: Context
    ) -> task_pb2.RunDailyQueueResponse:
        async with call_scope(request, context, longest=MAX_BULK_CALL) as within:
            count = await self.sending.run_daily_queue(
                actor=current_actor("RunDailyQueue"), within=within
            )
            return task_pb2.RunDailyQueueResponse(count=count)

    async def PauseSending(
        self, request: task_pb2.PauseSendingRequest, context: Context
    ) -> task_pb2.Pause:
        async with call_scope(request, context) as within:
            pause = require_valid(parse_pause(request.by, request.reason, start_time=self.now()))
            stored = await self.sending.pause(
                pause, actor=current_actor("PauseSending"), within=within
            )
            return pause_message(stored)

    async def ResumeSending(
        self, request: task_pb2.ResumeSendingRequest, context: Context
    ) -> task_pb2.ResumeSendingResponse:
        async with call_scope(request, context) as within:
            by = require_valid(parse_optional_by(request.by))
            ended = await self.sending.resume(
                by, actor=current_actor("ResumeSending"), within=within
            )
            message = None if ended is None else pause_message(ended)
            return task_pb2.ResumeSendingResponse(pause=message)
