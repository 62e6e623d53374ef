"""The service that a client command calls, and how long it waits for the answer."""

import math
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Mapping
from contextlib import suppress

from gcsched import environment
from gcsched.cli.failure import WrongUsage
from gcsched.environment import DEFAULT_PORT, DEFAULT_TARGET, TARGET
from gcsched.proxies import own_target

DEFAULT_TIMEOUT_SECONDS = 5.0


def add_arguments(parser: ArgumentParser, *, timeout: float = DEFAULT_TIMEOUT_SECONDS) -> None:
    parser.add_argument(
        "--target",
        metavar="HOST:PORT",
        type=add_default_port,
        help="the address of the service (GCSCHED_TARGET, else GCSCHED_GRPC_LISTEN,"
        f" else {DEFAULT_TARGET}); the default port is {DEFAULT_PORT}",
    )
    parser.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=parse_seconds,
        default=timeout,
        help="how long to wait for an answer (%(default)g)",
    )


def choose_target(given: str | None, environ: Mapping[str, str]) -> str:
    """Return *given*, else the target in *environ*, with a port; raise WrongUsage.

    A service that listens on all addresses is called on loopback.
    """
    if given is not None:
        return given
    name = TARGET if environ.get(TARGET) else "GCSCHED_GRPC_LISTEN"
    value = environ.get(name, "")
    try:
        if name == TARGET:
            return add_default_port(value)
        return add_default_port(own_target(environ) or DEFAULT_TARGET)
    except ArgumentTypeError as error:
        # The error shows the value of the variable, not the loopback address made from it.
        why = str(error).replace(repr(own_target(environ)), repr(value))
        raise WrongUsage(f"{name}: {why}") from error


def add_default_port(text: str) -> str:
    """Return *text* with the default port if it has none. Raises ArgumentTypeError."""
    try:
        return environment.add_default_port(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from error


def parse_seconds(text: str) -> float:
    with suppress(ValueError):
        if 0 < (value := float(text)) < math.inf:
            return value
    raise ArgumentTypeError(f"invalid seconds {text!r}: expected a number > 0, e.g. 2.5")
