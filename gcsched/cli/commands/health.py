"""`gcsched health`: check whether a service takes calls, as HEALTHCHECK and probes do."""

import json
import os
from argparse import ArgumentParser, Namespace
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from gcsched.cli import call as calling
from gcsched.cli import output, target, tls
from gcsched.cli.command import Command
from gcsched.cli.exit_codes import DONE, NO_ANSWER, REFUSED
from gcsched.cli.failure import FailureReport, WrongUsage, print_failure
from gcsched.domain.caller_text import replace_unprintable

if TYPE_CHECKING:
    import grpc

    from gcsched.client import Tls


OWN_SERVICES = ("", "scheduler.Scheduler")


def add_arguments(parser: ArgumentParser) -> None:
    target.add_arguments(parser)
    tls.add_arguments(parser)
    parser.add_argument(
        "--json", action="store_true", help="print JSON; errors too, on standard error"
    )
    parser.add_argument(
        "--service",
        metavar="NAME",
        default="",
        help="check one service, such as scheduler.Scheduler; unset: the whole server",
    )


def run(chosen: Namespace) -> int:
    chosen.target = target.choose_target(chosen.target, os.environ)
    is_own = tls.uses_own_certificate(chosen, os.environ) and chosen.service in OWN_SERVICES
    if is_own and tls.requires_certificate(chosen, os.environ):
        return ask_by_http(chosen)
    try:
        secured = tls.choose_tls(chosen, os.environ)
    except WrongUsage:
        if not is_own:
            raise
        # Its files cannot be used by now, and the service goes on with what it read before.
        return ask_by_http(chosen)
    return ask_by_grpc(chosen, secured)


def ask_by_grpc(chosen: Namespace, secured: "Tls | None") -> int:
    import grpc
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    # The standard protocol, so that the command can check any gRPC server.
    request = health_pb2.HealthCheckRequest(service=chosen.service)
    with open_channel(chosen.target, secured) as channel:
        try:
            answer = health_pb2_grpc.HealthStub(channel).Check(request, timeout=chosen.timeout)
        except grpc.RpcError as error:
            found = describe_health_failure(error, chosen, secured)
            return print_failure(found, as_json=chosen.json)
    status = health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)
    return print_status(chosen, chosen.target, status)


def open_channel(where: str, secured: "Tls | None") -> "grpc.Channel":
    """Open a channel to *where*. Raises WrongUsage."""
    import grpc

    from gcsched.proxies import proxy_options

    options: list[tuple[str, Any]] = [*proxy_options(where, os.environ)]
    if secured is None:
        return grpc.insecure_channel(where, options=options)
    options += secured.channel_options()
    return grpc.secure_channel(where, tls.read_credentials(secured), options=options)


def ask_by_http(chosen: Namespace) -> int:
    """Ask the service beside us at its other port, where no certificate of callers is needed."""
    from http.client import HTTPException

    from gcsched.cli import own_service

    url = own_service.find_url(os.environ)
    try:
        is_serving = own_service.takes_calls(os.environ, timeout=chosen.timeout)
    except (OSError, HTTPException) as error:
        sentence = f"{url} is unavailable: {replace_unprintable(str(error))}"
        found = FailureReport(message=sentence, exit_code=NO_ANSWER, code="UNAVAILABLE")
        return print_failure(found, as_json=chosen.json)
    return print_status(chosen, url, "SERVING" if is_serving else "NOT_SERVING")


def print_status(chosen: Namespace, where: str, status: str) -> int:
    report = {"target": where, "service": chosen.service, "status": status}
    output.print_lines(json.dumps(report) if chosen.json else f"{where} {status}")
    return DONE if status == "SERVING" else REFUSED


def describe_health_failure(
    error: "grpc.RpcError", chosen: Namespace, secured: "Tls | None"
) -> FailureReport:
    """Describe *error* as any client command does; name a service that the server does not have."""
    from gcsched.cli.tls_diagnosis import diagnose
    from gcsched.client import errors

    failed = errors.convert_error(error, chosen.target, chosen.timeout)
    hint = diagnose(failed, chosen.target, secured)
    found = calling.describe_call_failure(failed, hint=hint)
    if failed.code == "NOT_FOUND" and chosen.service:
        sentence = (
            f"unknown service {chosen.service}: {chosen.target} does not have it;"
            " leave out --service to check the whole server"
        )
        return replace(found, message=sentence, lines=[replace_unprintable(sentence)])
    return found


COMMAND = Command(
    name="health",
    help="Check whether a running service takes calls (grpc.health.v1).",
    run=run,
    arguments=add_arguments,
)
