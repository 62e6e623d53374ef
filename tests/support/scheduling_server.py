"""A real gRPC server that answers ScheduleMeet as its script says, for what ours does rarely."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import grpc
from google.protobuf.message import Message

from gcsched.errors import GcschedError
from gcsched.pb import task_pb2
from gcsched.rpc.servicer import SchedulerServicer
from gcsched.rpc.status import abort
from tests.support.contract_server import add_health
from tests.support.handlers import handlers_of

Answer = grpc.StatusCode | GcschedError | task_pb2.MeetResponse
ACCEPTED = task_pb2.MeetResponse(success=True, job_id="7")


@dataclass(kw_only=True, eq=False)
class Scripted:
    """Gives *answers* one after the other, the last of them for ever; keeps what it was asked."""

    answers: list[Answer]
    target: str = ""
    metadata: tuple[tuple[str, str | bytes], ...] = ()
    asked: list[task_pb2.MeetRequest] = field(default_factory=list)

    async def answer(
        self,
        request: task_pb2.MeetRequest,
        context: grpc.aio.ServicerContext[Message, Message],
    ) -> task_pb2.MeetResponse:
        answer = self.answers[min(len(self.asked), len(self.answers) - 1)]
        self.asked.append(request)
        if isinstance(answer, grpc.StatusCode):
            await context.abort(answer, "as the script says", self.metadata)
        if isinstance(answer, GcschedError):
            await abort(context, answer)
        return answer

    ScheduleMeet = answer


@asynccontextmanager
async def scripted(
    *answers: Answer, credentials: grpc.ServerCredentials | None = None
) -> AsyncIterator[Scripted]:
    server, script = grpc.aio.server(), Scripted(answers=list(answers))
    SchedulerServicer(handlers_of(script)).add_to(server)
    anywhere = "127.0.0.1:0"
    port = (
        server.add_insecure_port(anywhere)
        if credentials is None
        else server.add_secure_port(anywhere, credentials)
    )
    script.target = f"127.0.0.1:{port}"
    await add_health(server)
    await server.start()
    try:
        yield script
    finally:
        await server.stop(0)
