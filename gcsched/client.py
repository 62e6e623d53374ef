"""What callers import: ask a gcsched service for invitations, from plain or from async code.

    with Client("localhost:50051") as gcsched:
        job = gcsched.schedule_meet(empid="E1815", email="ada@example.org", message="Hi", at=None)

It has a deadline and repeats what was UNAVAILABLE: a repetition is the same job, never a second
mail. It imports nothing of the server.
"""

import math
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Self

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from gcsched.errors import GcschedError, Violation
from gcsched.pb import task_pb2, task_pb2_grpc

__all__ = [
    "AsyncClient",
    "CallFailed",
    "Client",
    "InvalidRequest",
    "Overloaded",
    "Scheduled",
    "TimedOut",
    "Unavailable",
    "Violation",
]

TIMEOUT_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheduled:
    """An accepted invitation; asked for again, it has the same id."""

    job_id: str


class CallFailed(GcschedError):
    """The service did not say yes; which subclass it is says what can be done about it."""

    def __init__(
        self,
        sentence: str,
        *,
        code: str = "UNKNOWN",
        reason: str = "",
        violations: tuple[Violation, ...] = (),
        retry_after: timedelta | None = None,
    ) -> None:
        super().__init__(sentence)
        self.code = code
        self.reason = reason
        self.violations = violations
        self.retry_after = retry_after


class InvalidRequest(CallFailed):
    """The request breaks rules; `violations` names them all, by the fields of task.proto."""


class Unavailable(CallFailed):
    """Nothing was promised, in up to four attempts: ask again later, with the same `at`."""


class Overloaded(CallFailed):
    """The service has too much to do: ask again after `retry_after`."""


class TimedOut(CallFailed):
    """Nobody knows whether it was accepted: ask again, with the same `at` it is the same job."""


KINDS: dict[grpc.StatusCode, type[CallFailed]] = {
    grpc.StatusCode.INVALID_ARGUMENT: InvalidRequest,
    grpc.StatusCode.UNAVAILABLE: Unavailable,
    grpc.StatusCode.RESOURCE_EXHAUSTED: Overloaded,
    grpc.StatusCode.DEADLINE_EXCEEDED: TimedOut,
}


class Client:
    """A connection to the service at *target* (``host:port``), for plain code and any thread."""

    def __init__(
        self,
        target: str,
        *,
        credentials: grpc.ChannelCredentials | None = None,
        timeout: float = TIMEOUT_SECONDS,
    ) -> None:
        self._target = target
        self._timeout = timeout
        self._channel = (
            grpc.insecure_channel(target, options=options())
            if credentials is None
            else grpc.secure_channel(target, credentials, options=options())
        )
        self._scheduler = task_pb2_grpc.SchedulerStub(self._channel)

    def schedule_meet(
        self, *, empid: str, email: str, message: str, name: str = "", at: datetime | int | None
    ) -> Scheduled:
        """Have *message* mailed to *email* at *at*; raises CallFailed.

        *at* is an aware datetime or Unix seconds, in the past: now; None: the next daily run.
        """
        request = request_for(empid, email, message, name, at)
        try:
            reply = self._scheduler.ScheduleMeet(request, timeout=self._timeout)
        except grpc.RpcError as error:
            raise failure(error, self._target, self._timeout) from error
        return scheduled(reply)

    def close(self) -> None:
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncClient:
    """The same for asyncio; make it inside the running loop."""

    def __init__(
        self,
        target: str,
        *,
        credentials: grpc.ChannelCredentials | None = None,
        timeout: float = TIMEOUT_SECONDS,
    ) -> None:
        self._target = target
        self._timeout = timeout
        self._channel = (
            grpc.aio.insecure_channel(target, options=options())
            if credentials is None
            else grpc.aio.secure_channel(target, credentials, options=options())
        )
        self._scheduler = task_pb2_grpc.SchedulerStub(self._channel)

    async def schedule_meet(
        self, *, empid: str, email: str, message: str, name: str = "", at: datetime | int | None
    ) -> Scheduled:
        """Do what Client.schedule_meet does."""
        request = request_for(empid, email, message, name, at)
        try:
            reply = await self._scheduler.ScheduleMeet(request, timeout=self._timeout)
        except grpc.aio.AioRpcError as error:
            raise failure(error, self._target, self._timeout) from error
        return scheduled(reply)

    async def close(self) -> None:
        await self._channel.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


def options() -> list[tuple[str, Any]]:
    """Set a channel up: retries by the published service config, and a quick reconnect."""
    return [
        ("grpc.service_config", service_config().read_text(encoding="utf-8")),
        # gRPC's own first wait is 1 s: all four attempts would be over before a second connect.
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 5000),
    ]


def service_config() -> Path:
    """Find the published file: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).parent
    packaged = package / "proto"
    folder = packaged if packaged.is_dir() else package.parent / "proto"
    return folder / "service_config.json"


def request_for(
    empid: str, email: str, message: str, name: str, at: datetime | int | None
) -> task_pb2.MeetRequest:
    return task_pb2.MeetRequest(
        empid=empid, emailID=email, message=message, empName=name, timestamp=unix_seconds(at)
    )


def unix_seconds(at: datetime | int | None) -> int:
    """Give *at* as the wire has it: whole seconds, never early, and 0 for the daily run."""
    if at is None:
        return 0
    if not isinstance(at, datetime):
        return at
    if at.utcoffset() is None:
        raise ValueError("at has no time zone; write datetime.now(UTC), or give it a tzinfo")
    return max(1, math.ceil(at.timestamp()))  # 0 would be the daily run


def scheduled(reply: task_pb2.MeetResponse) -> Scheduled:
    if not reply.success:
        raise CallFailed("the service did not accept the job", reason="NO_SUCCESS")
    return Scheduled(job_id=reply.job_id)


def failure(error: grpc.RpcError, target: str, timeout: float) -> CallFailed:
    """Make what a caller catches of gRPC's *error* and the details of its status (AIP-193)."""
    code, said = error.code(), error.details() or ""
    sentence = {
        grpc.StatusCode.INVALID_ARGUMENT: said,
        grpc.StatusCode.DEADLINE_EXCEEDED: f"{target} did not answer within {timeout:g} s",
        grpc.StatusCode.UNAVAILABLE: f"{target} is unavailable: {said}",
    }.get(code, f"{target} answered {code.name}: {said}")
    return KINDS.get(code, CallFailed)(sentence, code=code.name, **details(error))


def details(error: grpc.RpcError) -> dict[str, Any]:
    info = error_details_pb2.ErrorInfo()
    bad = error_details_pb2.BadRequest()
    retry = error_details_pb2.RetryInfo()
    with suppress(DecodeError, ValueError):  # a gateway's own details are no reason to fail here
        status = rpc_status.from_call(error)
        for packed in status.details if status else ():
            for wanted in (info, bad, retry):
                packed.Unpack(wanted)
    return {
        "reason": info.reason,
        "violations": tuple(Violation(v.field, v.description) for v in bad.field_violations),
        "retry_after": retry.retry_delay.ToTimedelta() or None,
    }
