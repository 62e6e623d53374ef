"""What both clients know of the service: its address, the credentials, the token and time limits.

What the caller does not give comes from the environment, by the variables of the command line.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, TypedDict, Unpack
from uuid import uuid4

import grpc
from google.protobuf.message import Message

from gcsched import environment as variables
from gcsched.client.argument_values import check_text, check_timeout
from gcsched.client.channel import RECONNECTS, Credentials, ServiceChannel
from gcsched.client.errors import CallFailed, ClientClosed, convert_error
from gcsched.client.health import WATCH_OPTIONS
from gcsched.client.suggestions import refuse_unknown, suggest_name
from gcsched.client.tls import Tls
from gcsched.client.token import TokenSource
from gcsched.pb import task_pb2
from gcsched.process.package_files import find_package_folder
from gcsched.proxies import proxy_options

TIMEOUT_SECONDS = 5.0
BULK_TIMEOUT_SECONDS = 60.0
"""How long a call waits that may change many jobs."""
CREATE_MEETING = "CreateMeeting"
METHODS = task_pb2.DESCRIPTOR.services_by_name["Scheduler"].methods_by_name


class AccessOptions(TypedDict, total=False):
    """How a client identifies itself: by a token, or by a file with one, which may change."""

    token: str
    token_file: str | os.PathLike[str]


CLIENT_OPTIONS = {"credentials", "environment", "timeout", *AccessOptions.__optional_keys__}


class Connection:
    """A channel to the service at *target* (``host:port``), by either of gRPC's two APIs.

    Client describes the arguments.
    """

    _api: ClassVar[Any]
    _new_event: ClassVar[type[Any]]

    def __init__(
        self,
        target: str | None = None,
        *,
        credentials: grpc.ChannelCredentials | Tls | None = None,
        timeout: float = TIMEOUT_SECONDS,
        environment: Mapping[str, str] | None = None,
        **access: Unpack[AccessOptions],
    ) -> None:
        refuse_unknown(access, CLIENT_OPTIONS, caller=type(self).__name__)
        # Not as the default: help() would show the whole environment.
        environment = os.environ if environment is None else environment
        self._timeout = check_timeout(timeout)
        self._target = choose_target(target, environment)
        self._token = choose_token(environment, **access)
        self._credentials = read_tls(environment) if credentials is None else credentials
        self._closing = self._new_event()
        self._watching: set[ServiceChannel] = set()
        self._opened = self._open(own_channel_options())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._target!r})"

    def _open(self, options: list[tuple[str, Any]]) -> ServiceChannel:
        chosen = [*options, *proxy_options(self._target, os.environ)]
        credentials: Credentials = self._credentials
        return ServiceChannel(self._api, self._target, credentials, chosen)

    def _open_watch(self) -> ServiceChannel:
        """Return a channel that ends with the client. Raises ClientClosed."""
        watched = self._open(WATCH_OPTIONS)
        self._watching.add(watched)
        self._opened.check_open()  # afterwards: `_end` finds the channel, or this finds the end
        return watched

    def _end(self) -> list[Any]:
        """End all channels for further calls; return them, to be closed."""
        opened = [self._opened, *self._watching]
        ended = [channel for each in opened for channel in each.end()]
        self._closing.set()
        return ended

    def _method(self, name: str, request: object) -> Any:
        """Return the method *name*, which takes *request*. Raises AttributeError, TypeError.

        gRPC's asyncio client would send an empty request in place of one that it cannot write.
        """
        if name not in METHODS:
            raise AttributeError(
                f"the contract has no method {name!r}{suggest_name(name, METHODS)}"
            )
        expected = METHODS[name].input_type.name
        # By name: programs may have messages of stubs of their own.
        given = request.DESCRIPTOR.name if isinstance(request, Message) else repr(request)
        if given != expected:
            raise TypeError(f"{name} takes a {expected}, not {given}")
        return getattr(self._opened.stub(), name)

    def _seconds(self, timeout: float | None) -> float:
        """Return *timeout*, or the client's time limit. Raises TypeError, ValueError."""
        return self._timeout if timeout is None else check_timeout(timeout)

    def _convert(self, error: grpc.RpcError, seconds: float) -> CallFailed:
        """Convert gRPC's *error*; what closing the client cancelled is ClientClosed."""
        if self._opened.is_closed and error.code() is grpc.StatusCode.CANCELLED:
            return ClientClosed()
        return convert_error(error, self._target, seconds)


def choose_target(given: str | None, environ: Mapping[str, str]) -> str:
    """Return the target with a port. Raises TypeError, ValueError."""
    if given is None:
        return variables.read_target(environ)
    return variables.add_default_port(check_text("target", given))


def choose_token(environ: Mapping[str, str], **access: Unpack[AccessOptions]) -> TokenSource:
    """Return the token that was given, else that of the environment. Raises ValueError."""
    token, file = access.get("token"), access.get("token_file")
    named = environ.get(variables.TOKEN_FILE)
    if token is not None or file is not None or not named:
        return TokenSource(token, file)
    try:
        return TokenSource(None, named)
    except ValueError as error:
        problem = str(error).removeprefix("token_file ")
        raise ValueError(f"{variables.TOKEN_FILE}: {problem}") from error


def read_tls(environ: Mapping[str, str]) -> Tls | None:
    """Return the TLS that the environment asks for; None: calls are not encrypted.

    Raises ValueError.
    """
    names = (variables.CA_FILE, variables.CERT_FILE, variables.KEY_FILE)
    ca_file, cert_file, key_file = files = [environ.get(each) or None for each in names]
    if (cert_file is None) != (key_file is None):
        raise ValueError(
            f"{variables.CERT_FILE} and {variables.KEY_FILE} belong together; set both or none"
        )
    if not variables.read_tls_switch(environ) and not any(files):
        return None
    return Tls(ca_file=ca_file, cert_file=cert_file, key_file=key_file)


def add_request_id(method: str, request: Any) -> Any:
    """Return *request*; one to create a meeting gets an id of its own if it has none.

    The channel repeats calls, and without an id each would create another meeting.
    """
    if method != CREATE_MEETING or request.request_id or request.validate_only:
        return request
    identified = type(request)()
    identified.CopyFrom(request)
    identified.request_id = str(uuid4())
    return identified


def own_channel_options() -> list[tuple[str, Any]]:
    """Return the options of the client's channels, which repeat every call.

    The published config excludes CreateMeeting, because other callers may give it no id.
    """
    config = json.loads(service_config().read_text(encoding="utf-8"))
    config["methodConfig"] = [each for each in config["methodConfig"] if "retryPolicy" in each]
    return [("grpc.service_config", json.dumps(config)), *RECONNECTS]


def channel_options() -> list[tuple[str, Any]]:
    """Return options for a channel: retries by the service config, and a quick reconnect."""
    config = service_config().read_text(encoding="utf-8")
    return [("grpc.service_config", config), *RECONNECTS]


def service_config() -> Path:
    """Return the path of the published service config, which clients in any language can use."""
    return find_package_folder("proto") / "service_config.json"
