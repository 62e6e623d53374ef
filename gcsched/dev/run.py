"""The composition of `gcsched dev`: stores, a relay that delivers nothing, and our own service."""

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
from gcsched.config.settings import Settings
from gcsched.dev.console import Console, phrase
from gcsched.dev.demo import Demo
from gcsched.dev.listen import free_or_any
from gcsched.dev.mail_catcher import Caught, catching
from gcsched.dev.settings import USUAL_HTTP, Brought, dev_settings, ignored
from gcsched.dev.stores.children import Child
from gcsched.dev.stores.stores import EmbeddedStores, embedded_stores
from gcsched.dev.templates import ReloadedTemplates, reloading
from gcsched.errors import CannotListen, PartEnded
from gcsched.process.listening import IN_USE
from gcsched.process.stop_signals import stopped_by_signals
from gcsched.proxies import callable_host
from gcsched.wiring.assembly import Service
from gcsched.wiring.resources import Resources
from gcsched.wiring.templates import template_folder

INVITATION = [
    *("--to", "ada@example.org", "--empid", "E1", "--name", "Ada"),
    *("--message", "Interview on Friday", "--at", "+10s"),
]
HARD_STOP_SECONDS = 120.0  # above the longest that the service and then both stores may take
TO_STOP_STORES_SECONDS = 25.0  # each has ten until it is killed
USUAL_TARGET = "127.0.0.1:50051"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dev:
    """One run on one data folder; *began* is the ``time.monotonic()`` of its start."""

    folder: Path
    grpc_listen: str
    has_demo: bool
    environ: Mapping[str, str]
    console: Console
    began: float
    around: app.Surroundings = field(default_factory=app.Surroundings)
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    children: list[Child] = field(default_factory=list)

    @property
    def mails(self) -> Path:
        return self.folder / "mails"

    async def run(self) -> int:
        """Serve until SIGTERM or SIGINT; give the exit code.

        Raises EmbeddedStoreProblem, TemplateProblem, CannotListen: what keeps it from starting.
        """
        hurry = partial(self.around.watchdog.arm, HARD_STOP_SECONDS, "it did not stop in time")
        around = replace(self.around, to_close_seconds=TO_STOP_STORES_SECONDS)
        with (
            stopped_by_signals(self.stop, on_signal=hurry, last_act=self._last_act),
            around.watching_failures(),
        ):
            self.console.say(f"gcsched {__version__}: starting MongoDB and Valkey")
            try:
                async with embedded_stores(self.folder) as stores:
                    self.children.extend([stores.mongod.child, stores.valkey.child])
                    with around.watching_failures():
                        await self._serve_on(stores, around)
            finally:
                await app.end_all_tasks()
        self.console.say("stopped; jobs and mails are kept")
        return 0

    def _last_act(self) -> None:
        self.around.last_act()
        # Linux ends the children with us; other systems do not.
        for child in self.children:
            child.kill()

    async def _serve_on(self, stores: EmbeddedStores, around: app.Surroundings) -> None:
        demo = Demo(say=self.console.say, now=app.utc_now)

        def on_caught(caught: Caught) -> None:
            self.console.announce(announcement(caught))
            demo.hear(caught.subject, caught.text)

        async with catching(self.mails, on_caught, now=app.utc_now) as smtp_port:
            brought = Brought(
                mongo_uri=stores.mongod.uri,
                redis_url=stores.valkey.url,
                smtp_port=smtp_port,
                grpc_listen=self.grpc_listen,
                http_listen=free_or_any(USUAL_HTTP, beside=self.grpc_listen),
            )
            settings = dev_settings(self.environ, brought)
            templates = ReloadedTemplates(template_folder(settings), self.console.say)
            async with (
                app.opened(settings, around, templates) as resources,
                reloading(templates),
            ):
                if await app.store_is_ready(resources, self.stop):
                    await self._serve(settings, resources, demo, around)

    async def _serve(
        self, settings: Settings, resources: Resources, demo: Demo, around: app.Surroundings
    ) -> None:
        ended: Exception | None = None
        http = f"{settings.http_listen.rpartition(':')[0]}:{resources.http_port}"
        try:
            async with asyncio.TaskGroup() as tasks:
                beside: list[asyncio.Task[None]] = []

                def on_serving(service: Service, port: int) -> None:
                    target = self._welcome(port, http, template_folder(settings))
                    if self.has_demo:
                        play = demo.play(target, service.jobs.get, service.daily_run.run_now)
                        beside.append(tasks.create_task(play, name="demo"))

                beside.append(tasks.create_task(self._say_stopping(), name="stopping"))
                await app.run(settings, resources, self.stop, on_serving=on_serving, around=around)
                for task in beside:
                    task.cancel()
        except* (CannotListen, PartEnded) as errors:
            ended = errors.exceptions[0]
        if isinstance(ended, CannotListen):
            raise CannotListen(self.grpc_listen, IN_USE.format(setting="--grpc"))
        if ended is not None:
            raise ended

    async def _say_stopping(self) -> None:
        await self.stop.wait()
        self.console.say("stopping: what is being sent is finished; Ctrl-C again ends it at once")

    def _welcome(self, port: int, http: str, templates: Path) -> str:
        """Say where everything is; give the address to call."""
        host = self.grpc_listen.rpartition(":")[0]
        target = f"{callable_host(host)}:{port}"
        seconds = time.monotonic() - self.began
        self.console.say(
            f"serving after {seconds:.1f} s; Ctrl-C stops, and what is accepted is kept",
            f"  gRPC       {host}:{port}",
            f"  HTTP       {http}/metrics",
            f"  mails      {self.mails}  (caught, never delivered)",
            f"  templates  {templates}  (read again when they change)",
            f"  try        {command(target)}",
        )
        if names := ignored(self.environ):
            self.console.say(f"  not used here: {', '.join(names)}")
        return target


def announcement(caught: Caught) -> str:
    who, what = phrase(caught.recipient), phrase(caught.subject)
    return f"caught a mail for {who}: {what}\n       {caught.html or caught.eml}"


def command(target: str) -> str:
    """Give the line to type, as it works from where we were started."""
    program = ["gcsched"] if shutil.which("gcsched") else [sys.executable, "-m", "gcsched"]
    where = [] if target == USUAL_TARGET else ["--target", target]
    return shlex.join([*program, "schedule", *INVITATION, *where])
