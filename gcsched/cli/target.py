"""Which service a client command speaks to, and how long it waits for the answer."""

import math
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Mapping
from contextlib import suppress

from gcsched.proxies import own_target

DEFAULT = "127.0.0.1:50051"
DEFAULT_TIMEOUT_SECONDS = 5.0


def add_arguments(
    parser: ArgumentParser,
    environ: Mapping[str, str],
    *,
    timeout: float = DEFAULT_TIMEOUT_SECONDS,
) -> None:
    parser.add_argument(
        "--target",
        metavar="HOST:PORT",
        default=target(environ),
        help="where the service is (GCSCHED_TARGET, else where GCSCHED_GRPC_LISTEN says,"
        f" else {DEFAULT})",
    )
    parser.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=seconds,
        default=timeout,
        help="how long to wait for its answer (%(default)g)",
    )


def target(environ: Mapping[str, str]) -> str:
    """Give what the environment says; a service that listens everywhere is asked on loopback."""
    if chosen := environ.get("GCSCHED_TARGET"):
        return chosen
    return own_target(environ) or DEFAULT


def seconds(text: str) -> float:
    with suppress(ValueError):
        if 0 < (value := float(text)) < math.inf:
            return value
    raise ArgumentTypeError(f"{text!r} is no number of seconds above 0")
