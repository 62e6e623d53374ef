"""`gcsched health`: ask a service whether it takes calls, as HEALTHCHECK and probes do."""

import json
import os
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from gcsched.cli import output, target
from gcsched.cli.command import Command
from gcsched.cli.exit_codes import DONE, NO_ANSWER, REFUSED
from gcsched.cli.failure import Failure, report

if TYPE_CHECKING:
    import grpc

UNANSWERED = {"UNAVAILABLE", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED", "CANCELLED"}


def arguments(parser: ArgumentParser) -> None:
    target.add_arguments(parser, os.environ)
    parser.add_argument("--json", action="store_true", help="print JSON, also of an error")
    parser.add_argument(
        "--service",
        metavar="NAME",
        default="",
        help="one service, such as scheduler.Scheduler; unset: the server as a whole",
    )


def run(chosen: Namespace) -> int:
    import grpc
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    from gcsched.proxies import proxy_options

    options = proxy_options(chosen.target, os.environ)
    request = health_pb2.HealthCheckRequest(service=chosen.service)
    with grpc.insecure_channel(chosen.target, options=options) as channel:
        try:
            answer = health_pb2_grpc.HealthStub(channel).Check(request, timeout=chosen.timeout)
        except grpc.RpcError as error:
            return report(failure(error, chosen), as_json=chosen.json)
    status = health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)
    said = {"target": chosen.target, "service": chosen.service, "status": status}
    output.say(json.dumps(said) if chosen.json else f"{chosen.target} {status}")
    return DONE if status == "SERVING" else REFUSED


def failure(error: "grpc.RpcError", chosen: Namespace) -> Failure:
    code = error.code().name
    return Failure(
        message=output.clean(f"{chosen.target} {code}: {error.details()}"),
        exit_code=NO_ANSWER if code in UNANSWERED else REFUSED,
        code=code,
    )


COMMAND = Command(
    name="health",
    help="Ask a running service whether it takes calls (grpc.health.v1).",
    run=run,
    arguments=arguments,
)
