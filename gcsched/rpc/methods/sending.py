"""RunDailyQueue, PauseSending and ResumeSending: convert, call the use case, convert."""

from dataclasses import dataclass

from gcsched.domain.checks import require_valid
from gcsched.domain.pause import parse_optional_by, parse_pause
from gcsched.pb import task_pb2
from gcsched.rpc.call import MAX_BULK_CALL, Context, call_scope, call_timeout_scope
from gcsched.rpc.methods.status import pause_message
from gcsched.usecases.ports import Clock
from gcsched.usecases.recovery.daily_run import DailyRun
from gcsched.usecases.relays.sending_pause import PausableTransport


@dataclass(frozen=True, slots=True, kw_only=True)
class SendingMethods:
    daily_run: DailyRun
    pausing: PausableTransport
    now: Clock

    async def RunDailyQueue(
        self, request: task_pb2.RunDailyQueueRequest, context: Context
    ) -> task_pb2.RunDailyQueueResponse:
        doing = "running the daily queue"
        async with call_timeout_scope(request, context, doing, longest=MAX_BULK_CALL):
            return task_pb2.RunDailyQueueResponse(count=await self.daily_run.run_now())

    async def PauseSending(
        self, request: task_pb2.PauseSendingRequest, context: Context
    ) -> task_pb2.Pause:
        async with call_scope(request, context) as within:
            pause = require_valid(parse_pause(request.by, request.reason, start_time=self.now()))
            return pause_message(await self.pausing.pause_sending(pause, within=within))

    async def ResumeSending(
        self, request: task_pb2.ResumeSendingRequest, context: Context
    ) -> task_pb2.ResumeSendingResponse:
        async with call_scope(request, context) as within:
            by = require_valid(parse_optional_by(request.by))
            ended = await self.pausing.resume_sending(by, within=within)
            message = None if ended is None else pause_message(ended)
            return task_pb2.ResumeSendingResponse(pause=message)
