"""`gcsched dev`: the service with its own stores, to try it out; it catches every mail."""

import asyncio
import os
import sys
import time
from argparse import ArgumentParser, Namespace
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING

from gcsched.cli.arguments import parse_path
from gcsched.cli.command import Command
from gcsched.cli.commands.serve import find_loop_factory
from gcsched.cli.extras import EMBEDDED, require_extra
from gcsched.errors import SettingsProblems
from gcsched.process.allocator import limit_malloc_arenas

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gcsched.app import ProcessHooks

LISTEN = "127.0.0.1:50051"


def add_arguments(parser: ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--data",
        metavar="FOLDER",
        type=parse_path,
        help="where stores and mails are kept (your data folder)",
    )
    add(
        "--grpc",
        metavar="HOST:PORT",
        help=f"where gRPC listens (GCSCHED_GRPC_LISTEN, else {LISTEN})",
    )
    add("--demo", action="store_true", help="send example invitations; move and cancel a meeting")


def run(chosen: Namespace) -> int:
    start_monotonic = time.monotonic()
    limit_malloc_arenas()  # before the imports below start threads
    from gcsched.dev.stores.machine import ensure_supported_system
    from gcsched.process.listening import check_can_listen

    ensure_supported_system()
    _ensure_installed()
    listen = choose_listen_address(chosen.grpc)
    with _host_process(listen) as around:
        # Before the stores start, which takes seconds.
        check_can_listen(listen, "--grpc")
        return _run_until_stopped(chosen, listen, start_monotonic, around)


def choose_listen_address(given: str | None) -> str:
    """Return the address for gRPC, *given* or from the environment; raise SettingsProblems.

    An invalid variable is not reported here, but later, together with the other settings.
    """
    from gcsched.config import fields as formats

    if given is None:
        return os.environ.get("GCSCHED_GRPC_LISTEN") or LISTEN
    try:
        return formats.parse_listen_address(given)
    except ValueError as error:
        sentence = f"--grpc {given} is invalid: write host:port, e.g. {LISTEN}"
        raise SettingsProblems([sentence]) from error


def _ensure_installed() -> None:
    """Raise NotInstalled if a package is missing; MongoDB and Valkey are checked at their start."""
    with require_extra(EMBEDDED, command="gcsched dev"):
        import_module("gcsched.dev.run")


@contextmanager
def _host_process(listen: str) -> "Iterator[ProcessHooks]":
    from gcsched.dev.settings import check_settings
    from gcsched.hosting import host_service

    with host_service(check_settings(os.environ, grpc_listen=listen), os.environ) as around:
        yield around


def _run_until_stopped(
    chosen: Namespace, listen: str, start_monotonic: float, around: "ProcessHooks"
) -> int:
    from gcsched.dev.data_folder import default_folder, prepare_folder
    from gcsched.dev.line_printer import LinePrinter
    from gcsched.dev.run import Dev

    with (
        LinePrinter(1 if sys.stdout is None else sys.stdout.fileno()) as printer,
        asyncio.Runner(loop_factory=find_loop_factory()) as runner,
    ):
        dev = Dev(
            folder=prepare_folder(chosen.data or default_folder(os.environ)),
            grpc_listen=listen,
            has_demo=chosen.demo,
            environ=os.environ,
            printer=printer,
            start_monotonic=start_monotonic,
            around=around,
        )
        return runner.run(dev.run())


COMMAND = Command(
    name="dev",
    help="Try the service: start it with MongoDB and Valkey; catch every mail, deliver none.",
    run=run,
    arguments=add_arguments,
)
