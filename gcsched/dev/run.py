"""The composition of `gcsched dev`: stores, a relay that delivers nothing, and the service."""

import asyncio
import shlex
import shutil
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from gcsched import __version__, app
from gcsched.config.fields import variable_name
from gcsched.config.settings import Settings
from gcsched.dev.demo import Demo
from gcsched.dev.inbox import MailFolder
from gcsched.dev.line_printer import LinePrinter, shorten_printable
from gcsched.dev.listen import choose_free_address
from gcsched.dev.mail_catcher import CaughtMail, run_mail_catcher
from gcsched.dev.settings import (
    DEFAULT_CONSOLE_LISTEN,
    DEFAULT_HTTP_LISTEN,
    DevEndpoints,
    find_ignored,
    load_dev_settings,
)
from gcsched.dev.stores.children import ChildProcess
from gcsched.dev.stores.stores import EmbeddedStores, run_embedded_stores
from gcsched.dev.templates import ReloadingTemplates, reload_on_change
from gcsched.errors import BackgroundTaskEnded, CannotListen
from gcsched.process.listening import IN_USE
from gcsched.process.stop_signals import stop_on_signals
from gcsched.proxies import callable_host
from gcsched.wiring.assembly import Service
from gcsched.wiring.background import cancel_all_tasks
from gcsched.wiring.optional_console import find_console_address
from gcsched.wiring.resources import Resources
from gcsched.wiring.templates import template_folder

EXAMPLE_OPTIONS = [
    *("--to", "ada@example.org", "--empid", "E1", "--name", "Ada"),
    *("--message", "Interview on Friday", "--at", "+10s"),
]
HARD_STOP_SECONDS = 120.0  # more than the service and then both stores may take
STORES_STOP_SECONDS = 25.0  # each store is killed after ten
DEFAULT_TARGET = "127.0.0.1:50051"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dev:
    """One run on one data folder; *start_monotonic* is the ``time.monotonic()`` of its start."""

    folder: Path
    grpc_listen: str
    has_demo: bool
    environ: Mapping[str, str]
    printer: LinePrinter
    start_monotonic: float
    around: app.ProcessHooks = field(default_factory=app.ProcessHooks)
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    children: list[ChildProcess] = field(default_factory=list)

    @property
    def mails(self) -> Path:
        return self.folder / "mails"

    async def run(self) -> int:
        """Serve until SIGTERM or SIGINT; return the exit code.

        Raises EmbeddedStoreProblem, TemplateProblem or CannotListen if it cannot start.
        """
        arm_hard_stop = partial(
            self.around.watchdog.arm, HARD_STOP_SECONDS, "it did not stop in time"
        )
        around = replace(self.around, close_seconds=STORES_STOP_SECONDS)
        with (
            stop_on_signals(
                self.stop, on_signal=arm_hard_stop, before_exit=self._before_forced_exit
            ),
            around.arm_on_failure(),
        ):
            self.printer.print_lines(f"gcsched {__version__}: starting MongoDB and Valkey")
            try:
                async with run_embedded_stores(self.folder) as stores:
                    # For a forced exit, which skips the ends of all blocks.
                    self.children.extend([stores.mongod.child, stores.valkey.child])
                    with around.arm_on_failure():
                        await self._serve_on(stores, around)
            finally:
                await cancel_all_tasks()
        self.printer.print_lines("stopped; jobs and mails are kept")
        return 0

    def _before_forced_exit(self) -> None:
        self.around.before_exit()
        # On Linux the kernel kills the children with this process; elsewhere they would live on.
        for child in self.children:
            child.kill()

    async def _serve_on(self, stores: EmbeddedStores, around: app.ProcessHooks) -> None:
        demo = Demo(print_lines=self.printer.print_lines, now=app.utc_now)
        inbox = MailFolder(folder=self.mails)

        def on_caught(caught: CaughtMail) -> None:
            self.printer.announce(format_announcement(caught))
            demo.record_mail(caught.subject, caught.text)
            inbox.notify()

        async with run_mail_catcher(self.mails, on_caught, now=app.utc_now) as smtp_port:
            endpoints = DevEndpoints(
                mongo_uri=stores.mongod.uri,
                redis_url=stores.valkey.url,
                smtp_port=smtp_port,
                grpc_listen=self.grpc_listen,
                http_listen=choose_free_address(DEFAULT_HTTP_LISTEN, self.grpc_listen),
                console_listen=choose_free_address(
                    DEFAULT_CONSOLE_LISTEN,
                    self.grpc_listen,
                    self.environ.get(variable_name("http_listen"), ""),
                ),
            )
            settings = load_dev_settings(self.environ, endpoints)
            # A folder with an invalid template raises here, before anything serves.
            templates = ReloadingTemplates(template_folder(settings), self.printer.print_lines)
            async with (
                app.open_resources(settings, around, templates) as resources,
                reload_on_change(templates),
            ):
                resources.console.show_inbox(inbox)
                if await app.wait_for_store(resources, self.stop):
                    await self._serve(settings, resources, demo, around)

    async def _serve(
        self, settings: Settings, resources: Resources, demo: Demo, around: app.ProcessHooks
    ) -> None:
        failure: Exception | None = None
        http = f"{settings.http_listen.rpartition(':')[0]}:{resources.http_port}"
        console = find_console_address(settings, resources.console.port)
        try:
            async with asyncio.TaskGroup() as tasks:
                helpers: list[asyncio.Task[None]] = []

                def on_serving(service: Service, port: int) -> None:
                    target = self._print_welcome(port, http, console, template_folder(settings))
                    if self.has_demo:
                        demo_run = demo.run(target, service.jobs.get, service.daily_run.run_now)
                        helpers.append(tasks.create_task(demo_run, name="demo"))

                helpers.append(tasks.create_task(self._print_stopping(), name="stopping"))
                await app.run(settings, resources, self.stop, on_serving=on_serving, hooks=around)
                for task in helpers:
                    task.cancel()
        except* (CannotListen, BackgroundTaskEnded) as errors:
            failure = errors.exceptions[0]
        if isinstance(failure, CannotListen):
            # The service names its variable; here the address comes from an option.
            raise CannotListen(self.grpc_listen, IN_USE.format(setting="--grpc"))
        if failure is not None:
            raise failure

    async def _print_stopping(self) -> None:
        await self.stop.wait()
        self.printer.print_lines(
            "stopping: mails on their way are finished first; Ctrl-C again stops at once"
        )

    def _print_welcome(self, port: int, http: str, console: str, templates: Path) -> str:
        """Print the addresses and folders; return the address for calls."""
        host = self.grpc_listen.rpartition(":")[0]
        target = f"{callable_host(host)}:{port}"
        seconds = time.monotonic() - self.start_monotonic
        self.printer.print_lines(
            f"serving after {seconds:.1f} s; Ctrl-C stops it, accepted jobs are kept",
            f"  console    {console}",
            f"  gRPC       {host}:{port}",
            f"  HTTP       {http}/metrics",
            f"  mails      {self.mails}  (caught, never delivered)",
            f"  templates  {templates}  (reloaded when they change)",
            f"  try        {format_example_command(target)}",
        )
        if names := find_ignored(self.environ):
            self.printer.print_lines(f"  ignored    {', '.join(names)}")
        return target


def format_announcement(caught: CaughtMail) -> str:
    who, what = shorten_printable(caught.recipient), shorten_printable(caught.subject)
    return f"caught a mail for {who}: {what}\n       {caught.html or caught.eml}"


def format_example_command(target: str) -> str:
    """Return a command line that works in the shell that started this process."""
    program = ["gcsched"] if shutil.which("gcsched") else [sys.executable, "-m", "gcsched"]
    where = [] if target == DEFAULT_TARGET else ["--target", target]
    return shlex.join([*program, "schedule", *EXAMPLE_OPTIONS, *where])
