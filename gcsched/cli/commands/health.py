"""`gcsched health`: check whether a service takes calls, as HEALTHCHECK and probes do."""

import json
import os
from argparse import ArgumentParser, Namespace
from dataclasses import replace
from typing import TYPE_CHECKING

from gcsched.cli import call as calling
from gcsched.cli import output, target
from gcsched.cli.command import Command
from gcsched.cli.exit_codes import DONE, REFUSED
from gcsched.cli.failure import FailureReport, print_failure
from gcsched.domain.caller_text import replace_unprintable

if TYPE_CHECKING:
    import grpc


def add_arguments(parser: ArgumentParser) -> None:
    target.add_arguments(parser)
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
    import grpc
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    from gcsched.proxies import proxy_options

    chosen.target = target.choose_target(chosen.target, os.environ)
    options = proxy_options(chosen.target, os.environ)
    # The standard protocol, so that the command can check any gRPC server.
    request = health_pb2.HealthCheckRequest(service=chosen.service)
    with grpc.insecure_channel(chosen.target, options=options) as channel:
        try:
            answer = health_pb2_grpc.HealthStub(channel).Check(request, timeout=chosen.timeout)
        except grpc.RpcError as error:
            return print_failure(describe_health_failure(error, chosen), as_json=chosen.json)
    status = health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)
    report = {"target": chosen.target, "service": chosen.service, "status": status}
    output.print_lines(json.dumps(report) if chosen.json else f"{chosen.target} {status}")
    return DONE if status == "SERVING" else REFUSED


def describe_health_failure(error: "grpc.RpcError", chosen: Namespace) -> FailureReport:
    """Describe *error* as any client command does; name a service that the server does not have."""
    from gcsched.client import errors

    failed = errors.convert_error(error, chosen.target, chosen.timeout)
    found = calling.describe_call_failure(failed)
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
