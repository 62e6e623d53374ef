"""`gcsched dev`: the service with everything it needs, to try it out; mails are only caught."""

import asyncio
import os
import sys
import time
from argparse import ArgumentParser, Namespace
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING

from gcsched.cli.arguments import path
from gcsched.cli.command import Command
from gcsched.cli.commands.serve import fastest_loop
from gcsched.cli.extras import EMBEDDED, needing
from gcsched.errors import SettingsProblems
from gcsched.process.allocator import keep_heaps_few

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gcsched.app import Surroundings

LISTEN = "127.0.0.1:50051"


def arguments(parser: ArgumentParser) -> None:
    add = parser.add_argument
    add("--data", metavar="FOLDER", type=path, help="where all is kept (your data folder)")
    add("--grpc", metavar="HOST:PORT", help=f"where gRPC listens (GCSCHED_GRPC_LISTEN or {LISTEN})")
    add("--demo", action="store_true", help="send three example invitations through it")


def run(chosen: Namespace) -> int:
    began = time.monotonic()
    keep_heaps_few()
    from gcsched.dev.stores.machine import refuse_foreign_system
    from gcsched.process.listening import refuse_taken

    refuse_foreign_system()
    _ensure_installed()
    listen = listen_address(chosen.grpc)
    with _hosted(listen) as around:
        refuse_taken(listen, "--grpc")
        return _until_stopped(chosen, listen, began, around)


def listen_address(said: str | None) -> str:
    """Give where gRPC listens; a variable that is wrong is told with the other settings."""
    from gcsched.config import fields as formats

    if said is None:
        return os.environ.get("GCSCHED_GRPC_LISTEN") or LISTEN
    try:
        return formats.listen_address(said)
    except ValueError as error:
        sentence = f"--grpc {said} cannot be used: give host:port, e.g. {LISTEN}"
        raise SettingsProblems([sentence]) from error


def _ensure_installed() -> None:
    """Import all of it but MongoDB and Valkey, which are looked for when they are started."""
    with needing(EMBEDDED, command="gcsched dev"):
        import_module("gcsched.dev.run")


@contextmanager
def _hosted(listen: str) -> "Iterator[Surroundings]":
    from gcsched.dev.settings import checked
    from gcsched.hosting import hosted

    with hosted(checked(os.environ, grpc_listen=listen), os.environ) as around:
        yield around


def _until_stopped(chosen: Namespace, listen: str, began: float, around: "Surroundings") -> int:
    from gcsched.dev.console import Console
    from gcsched.dev.data_folder import default_folder, prepared
    from gcsched.dev.run import Dev

    with (
        Console(1 if sys.stdout is None else sys.stdout.fileno()) as console,
        asyncio.Runner(loop_factory=fastest_loop()) as runner,
    ):
        dev = Dev(
            folder=prepared(chosen.data or default_folder(os.environ)),
            grpc_listen=listen,
            has_demo=chosen.demo,
            environ=os.environ,
            console=console,
            began=began,
            around=around,
        )
        return runner.run(dev.run())


COMMAND = Command(
    name="dev",
    help="Try it out: start MongoDB, Valkey and the service; catch every mail, deliver none.",
    run=run,
    arguments=arguments,
)
