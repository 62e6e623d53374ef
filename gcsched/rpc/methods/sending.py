"""RunDailyQueue, PauseSending and ResumeSending: convert, call the use case, convert."""

from dataclasses import dataclass

from gcsched.domain.checks import checked
from gcsched.domain.pause import a_pause, who
from gcsched.pb import task_pb2
from gcsched.rpc.call import LONGEST_OF_MANY, Context, answering, working
from gcsched.rpc.methods.status import pause_message
from gcsched.usecases.ports import Clock
from gcsched.usecases.recovery.daily_run import DailyRun
from gcsched.usecases.relays.pause import Pausing


@dataclass(frozen=True, slots=True, kw_only=True)
class SendingMethods:
    daily_run: DailyRun
    pausing: Pausing
    now: Clock

    async def RunDailyQueue(
        self, request: task_pb2.RunDailyQueueRequest, context: Context
    ) -> task_pb2.RunDailyQueueResponse:
        doing = "moving the daily queue"
        async with answering(request, context, doing, longest=LONGEST_OF_MANY):
            return task_pb2.RunDailyQueueResponse(count=await self.daily_run.run_now())

    async def PauseSending(
        self, request: task_pb2.PauseSendingRequest, context: Context
    ) -> task_pb2.Pause:
        async with working(request, context) as within:
            pause = checked(a_pause(request.by, request.reason, since=self.now()))
            return pause_message(await self.pausing.pause_sending(pause, within=within))

    async def ResumeSending(
        self, request: task_pb2.ResumeSendingRequest, context: Context
    ) -> task_pb2.ResumeSendingResponse:
        async with working(request, context) as within:
            by = checked(who(request.by))
            ended = await self.pausing.resume_sending(by, within=within)
            message = None if ended is None else pause_message(ended)
            return task_pb2.ResumeSendingResponse(pause=message)
