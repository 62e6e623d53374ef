"""`gcsched health`: ask a service whether it takes calls, as HEALTHCHECK and probes do."""

import os
import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter

from gcsched.cli import target
from gcsched.cli.command import Command

SERVING = 0
NOT_SERVING = 1
EXIT_CODES = """\
exit codes:
  0    SERVING
  1    anything else: not serving, unknown service, no answer
  2    wrong usage"""


def arguments(parser: ArgumentParser) -> None:
    parser.epilog = EXIT_CODES
    parser.formatter_class = RawDescriptionHelpFormatter
    target.add_arguments(parser, os.environ)
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
            print(f"{chosen.target} {error.code().name}: {error.details()}", file=sys.stderr)
            return NOT_SERVING
    print(chosen.target, health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status))
    is_serving = answer.status == health_pb2.HealthCheckResponse.SERVING
    return SERVING if is_serving else NOT_SERVING


COMMAND = Command(
    name="health",
    help="Ask a running service whether it takes calls (grpc.health.v1).",
    run=run,
    arguments=arguments,
)
