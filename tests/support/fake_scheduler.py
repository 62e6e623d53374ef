"""A real gRPC server for the whole contract, whose methods give the answers of the test."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import grpc
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_status import rpc_status

from gcsched.errors import GcschedError
from gcsched.pb import task_pb2
from gcsched.rpc.servicer import SchedulerServicer
from gcsched.rpc.status import abort, duration, pack_any
from tests.support.handlers import handlers_of


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorAnswer:
    """A status with its details (AIP-193), or with *trailing* metadata instead."""

    code: grpc.StatusCode
    message: str = "as the test says"
    reason: str = ""
    fields: tuple[tuple[str, str], ...] = ()
    retry_after: timedelta | None = None
    metadata: tuple[tuple[str, str], ...] = ()
    trailing: tuple[tuple[str, str | bytes], ...] = ()

    def status(self) -> Any:
        info = error_details_pb2.ErrorInfo(
            reason=self.reason, domain="gcsched", metadata=dict(self.metadata)
        )
        details: list[Message] = [info] if self.reason else []
        if self.fields:
            violation = error_details_pb2.BadRequest.FieldViolation
            violations = [
                violation(field=name, description=problem) for name, problem in self.fields
            ]
            details.append(error_details_pb2.BadRequest(field_violations=violations))
        if self.retry_after is not None:
            details.append(error_details_pb2.RetryInfo(retry_delay=duration(self.retry_after)))
        return rpc_status.to_status(
            status_pb2.Status(
                code=self.code.value[0],
                message=self.message,
                details=[pack_any(each) for each in details],
            )
        )


FakeAnswer = Message | ErrorAnswer | grpc.StatusCode | GcschedError
ACCEPTED = task_pb2.MeetResponse(success=True, job_id="7")


@dataclass(kw_only=True, eq=False)
class FakeScheduler:
    """Gives the answers of each method in order, the last one repeatedly; records the requests."""

    target: str
    answers: dict[str, list[FakeAnswer]]
    requests: list[Message] = field(default_factory=list)

    def build_servicer(self) -> SchedulerServicer:
        each = {name: self._build_method(name) for name in self.answers}
        return SchedulerServicer(handlers_of(SimpleNamespace(**each)))

    def _build_method(self, name: str) -> Any:
        async def respond(request: Message, context: Any) -> FakeAnswer:
            answers = self.answers[name]
            answer = answers.pop(0) if len(answers) > 1 else answers[0]
            self.requests.append(request)
            if isinstance(answer, grpc.StatusCode):
                answer = ErrorAnswer(code=answer)
            if isinstance(answer, GcschedError):
                await abort(context, answer)
            if isinstance(answer, ErrorAnswer):
                status = answer.status()
                await context.abort(
                    status.code, status.details, answer.trailing or status.trailing_metadata
                )
            return answer

        return respond


async def add_health(server: grpc.aio.Server) -> None:
    """Report *server* as healthy: gRPC's client complains on stderr of a server without health."""
    servicer = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    await servicer.set("scheduler.Scheduler", health_pb2.HealthCheckResponse.SERVING)


@asynccontextmanager
async def fake_scheduler(
    credentials: grpc.ServerCredentials | None = None,
    /,
    **answers: FakeAnswer | Sequence[FakeAnswer],
) -> AsyncIterator[FakeScheduler]:
    """Serve *answers* by the names of their methods; other methods are UNIMPLEMENTED."""
    server, anywhere = grpc.aio.server(), "127.0.0.1:0"
    port = (
        server.add_insecure_port(anywhere)
        if credentials is None
        else server.add_secure_port(anywhere, credentials)
    )
    lists = {
        name: list(given) if isinstance(given, Sequence) else [given]
        for name, given in answers.items()
    }
    service = FakeScheduler(target=f"127.0.0.1:{port}", answers=lists)
    service.build_servicer().add_to(server)
    await add_health(server)
    await server.start()
    try:
        yield service
    finally:
        await server.stop(0)
