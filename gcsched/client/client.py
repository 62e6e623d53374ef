"""The client of a gcsched service, for blocking and for asyncio code.

    with Client("localhost:50051") as gcsched:
        job = gcsched.schedule_meet(empid="E1815", email="ada@example.org", message="Hi", at=None)

A call has a deadline and is retried after UNAVAILABLE, and after CANCELLED by a server that ends.
A retry is the same job, never a second mail. (A service with GCSCHED_DEDUP=employee refuses it:
give a request_id there.) The client imports nothing of the server.
"""

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, Self, TypedDict, Unpack

import grpc
from google.protobuf.message import Message

from gcsched.client.channel import ServiceChannel
from gcsched.client.errors import CallFailed, convert_error
from gcsched.client.option_values import check_bool, check_seconds, check_text, check_text_mapping
from gcsched.client.suggestions import refuse_unknown, suggest_name
from gcsched.client.tls import Tls
from gcsched.client.token import TokenSource
from gcsched.pb import task_pb2
from gcsched.process.package_files import find_package_folder
from gcsched.proxies import proxy_options

TIMEOUT_SECONDS = 5.0
REFUSALS: dict[int, str] = {
    task_pb2.MeetResponse.REFUSED_DUPLICATE: "the service refused the request: it allows one "
    "mail per employee and window, and there was one",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledJob:
    """An accepted request; a repeated one has the same id and is equal.

    *outcome* and *state* are the contract's names, *due_time* is when the service acts next on the
    job. All three are empty if the service is older than these fields.
    """

    job_id: str
    outcome: str = field(default="", compare=False)
    due_time: datetime | None = field(default=None, compare=False)
    state: str = field(default="", compare=False)


class OptionalFields(TypedDict, total=False):
    """The optional fields of a request; proto/task.proto has the rules of each."""

    request_id: str
    template: str
    variables: Mapping[str, str]
    not_after: datetime | int | None
    reply_to: str
    sender: str
    labels: Mapping[str, str]
    urgent: bool


class AccessOptions(TypedDict, total=False):
    """How a client identifies itself: by a token, or by a file with one, which may change."""

    token: str
    token_file: str | os.PathLike[str]


CLIENT_OPTIONS = {"credentials", "timeout", *AccessOptions.__optional_keys__}


class Connection:
    """A channel to the service at *target* (``host:port``), by either of gRPC's two APIs.

    With *token* or *token_file* each call carries a token. With *credentials*, a Tls or those of
    gRPC, calls are encrypted.
    """

    _api: ClassVar[Any]

    def __init__(
        self,
        target: str,
        *,
        credentials: grpc.ChannelCredentials | Tls | None = None,
        timeout: float = TIMEOUT_SECONDS,
        **access: Unpack[AccessOptions],
    ) -> None:
        refuse_unknown(access, CLIENT_OPTIONS, caller=type(self).__name__)
        self._token = TokenSource(access.get("token"), access.get("token_file"))
        self._target = target
        self._timeout = timeout
        chosen = [*channel_options(), *proxy_options(target, os.environ)]
        self._opened = ServiceChannel(self._api, target, credentials, chosen)

    def _method(self, name: str) -> Any:
        known = task_pb2.DESCRIPTOR.services_by_name["Scheduler"].methods_by_name
        if name not in known:
            raise AttributeError(f"the contract has no method {name!r}{suggest_name(name, known)}")
        return getattr(self._opened.stub(), name)


class Client(Connection):
    """A connection to the service at *target* (``host:port``), for blocking code and any thread."""

    _api: ClassVar[Any] = grpc

    def schedule_meet(
        self,
        *,
        empid: str,
        email: str,
        message: str,
        name: str = "",
        at: datetime | int | None,
        **options: Unpack[OptionalFields],
    ) -> ScheduledJob:
        """Schedule a mail of *message* to *email* at *at*. Raises CallFailed.

        *at* is an aware datetime or Unix seconds; a past time means now, None the next daily run.
        """
        request = build_request(empid, email, message, name, at, **options)
        return parse_reply(self.call("ScheduleMeet", request))

    def call(self, method: str, request: Message) -> Any:
        """Call any *method* of the contract. Raises CallFailed."""
        stub_method = self._method(method)
        try:
            return stub_method(request, timeout=self._timeout, metadata=self._token.metadata())
        except grpc.RpcError as error:
            raise convert_error(error, self._target, self._timeout) from error

    def close(self) -> None:
        for each in self._opened.channels:
            each.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncClient(Connection):
    """A connection like `Client`, for asyncio; create it inside the running loop."""

    _api: ClassVar[Any] = grpc.aio

    async def schedule_meet(
        self,
        *,
        empid: str,
        email: str,
        message: str,
        name: str = "",
        at: datetime | int | None,
        **options: Unpack[OptionalFields],
    ) -> ScheduledJob:
        """Do what Client.schedule_meet does."""
        request = build_request(empid, email, message, name, at, **options)
        return parse_reply(await self.call("ScheduleMeet", request))

    async def call(self, method: str, request: Message) -> Any:
        """Do what Client.call does."""
        stub_method = self._method(method)
        try:
            return await stub_method(
                request, timeout=self._timeout, metadata=self._token.metadata()
            )
        except grpc.aio.AioRpcError as error:
            raise convert_error(error, self._target, self._timeout) from error

    async def close(self) -> None:
        for each in self._opened.channels:
            await each.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


def channel_options() -> list[tuple[str, Any]]:
    """Return the options of a channel: retries by the service config, and a quick reconnect."""
    return [
        ("grpc.service_config", service_config().read_text(encoding="utf-8")),
        # gRPC's own first wait is 1 s: all five attempts would fail before a second connect.
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 1000),
    ]


def service_config() -> Path:
    """Return the path of the published service config, which clients in any language can use."""
    return find_package_folder("proto") / "service_config.json"


def build_request(
    empid: str,
    email: str,
    message: str,
    name: str,
    at: datetime | int | None,
    **options: Unpack[OptionalFields],
) -> task_pb2.MeetRequest:
    refuse_unknown(options, OptionalFields.__optional_keys__, caller="schedule_meet")
    is_urgent = check_bool("urgent", options.get("urgent"))
    return task_pb2.MeetRequest(
        empid=check_text("empid", empid),
        emailID=check_text("email", email),
        message=check_text("message", message),
        empName=check_text("name", name),
        timestamp=unix_seconds(at),
        request_id=check_text("request_id", options.get("request_id")),
        template=check_text("template", options.get("template")),
        variables=check_text_mapping("variables", options.get("variables")),
        not_after=unix_seconds(options.get("not_after"), name="not_after"),
        reply_to=check_text("reply_to", options.get("reply_to")),
        sender=check_text("sender", options.get("sender")),
        labels=check_text_mapping("labels", options.get("labels")),
        priority=task_pb2.URGENT if is_urgent else task_pb2.NORMAL,
    )


def unix_seconds(at: datetime | int | None, *, name: str = "at") -> int:
    """Return *at* as on the wire: whole seconds, never early, and 0 for the daily run."""
    if at is None:
        return 0
    if isinstance(at, datetime):
        if at.utcoffset() is None:
            raise ValueError(f"{name} has no time zone; write datetime.now(UTC), or add a tzinfo")
        return max(1, math.ceil(at.timestamp()))  # 0 would be the daily run
    return check_seconds(name, at)


def parse_reply(reply: task_pb2.MeetResponse) -> ScheduledJob:
    outcome = name_of(task_pb2.MeetResponse.Outcome, reply.outcome)
    if not reply.success:
        refused = REFUSALS.get(reply.outcome, "the service refused the request")
        raise CallFailed(refused, reason=outcome or "NO_SUCCESS")
    return ScheduledJob(
        job_id=reply.job_id,
        outcome=outcome,
        due_time=reply.due_time.ToDatetime(UTC) if reply.HasField("due_time") else None,
        state=name_of(task_pb2.Job.State, reply.state),
    )


def name_of(enum: Any, value: int) -> str:
    """Return the contract's name of *value*: "" if unset, the number if this client is older."""
    if value == 0:
        return ""
    return str(enum.Name(value)) if value in enum.values() else str(value)
