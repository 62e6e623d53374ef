"""Builds the console, and connects it with the service. Imported only where it is switched on."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

import structlog
from google.protobuf.json_format import MessageToJson

from gcsched.adapters.mongo.history import MongoHistory
from gcsched.config.fields import variable_name
from gcsched.config.settings import Settings
from gcsched.domain.job import Job
from gcsched.domain.token_bucket import RateLimit
from gcsched.pb import task_pb2
from gcsched.rpc.messages import job_message
from gcsched.usecases.access.refusal_delay import RefusalDelay
from gcsched.usecases.monitoring.read_history import ReadHistory
from gcsched.usecases.ports import Clock
from gcsched.web.connection_limiter import ConnectionLimiter
from gcsched.web.console.figures import Figures
from gcsched.web.console.inbox import Inbox
from gcsched.web.console.installation import Installation
from gcsched.web.console.metrics import PageMetrics
from gcsched.web.console.rendering import Renderer
from gcsched.web.console.routing import CHANGE_MANY_WITHIN
from gcsched.web.console.security import OwnAddresses
from gcsched.web.console.server import serve_console
from gcsched.web.console.services import JobRules, Services, Slots
from gcsched.web.console.session import Sessions
from gcsched.web.console.static_files import StaticFiles
from gcsched.web.metrics import Metrics
from gcsched.web.readiness import Readiness
from gcsched.wiring.assembly import Service
from gcsched.wiring.capacity import CONSOLE_CONNECTIONS
from gcsched.wiring.console_process import build_client_reader, build_own_process
from gcsched.wiring.tls import Tls

KEY_OCTETS = 32
MAX_IDLE_SECONDS = CHANGE_MANY_WITHIN.total_seconds() + 10.0
"""A connection is without an answer for as long as an act on many jobs may take."""
REFUSED_LOGINS = RateLimit(per_second=5, burst=10)
"""So many are answered at once; the others wait, as refused calls of gRPC do."""
REFUSED_LOGIN_SECONDS = 5.0
"""Less than a connection may go without an answer."""
MAX_REFUSED_LOGINS = 50

log: structlog.stdlib.BoundLogger = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedConsole:
    """The console while it listens on *port*."""

    installation: Installation
    port: int

    def connect(self, service: Service) -> None:
        self.installation.services = build_services(service)

    async def finish_acts(self, *, within: timedelta) -> None:
        self.installation.login_delay.stop()
        await self.installation.acts.finish(within=within)

    def disconnect(self) -> None:
        self.installation.services = None

    def show_inbox(self, inbox: Inbox) -> None:
        self.installation.inbox = inbox


@asynccontextmanager
async def serve(
    settings: Settings, *, readiness: Readiness, metrics: Metrics, tls: Tls, now: Clock
) -> AsyncIterator[ServedConsole]:
    """Serve the console of *settings*. Raises CannotListen."""
    installation = build_installation(
        settings, readiness=readiness, metrics=metrics, tls=tls, now=now
    )
    limiter = ConnectionLimiter(
        max_connections=CONSOLE_CONNECTIONS, max_idle_seconds=MAX_IDLE_SECONDS
    )
    async with serve_console(
        installation,
        listen=settings.console_listen or "",
        limiter=limiter,
        tls=tls.console_context,
    ) as port:
        yield ServedConsole(installation=installation, port=port)


def build_installation(
    settings: Settings, *, readiness: Readiness, metrics: Metrics, tls: Tls, now: Clock
) -> Installation:
    static = StaticFiles.load()
    return Installation(
        addresses=OwnAddresses(
            origin=settings.console_origin or "",
            listen=settings.console_listen or "",
            port=0,  # known once it listens
            certificate_hosts=tls.console_hosts,
        ),
        sessions=Sessions(key=find_key(settings), now=now),
        static=static,
        renderer=Renderer(static),
        readiness=readiness,
        metrics=PageMetrics(metrics.registry),
        label=settings.console_label,
        zone=settings.timezone,
        now=now,
        login_delay=RefusalDelay(
            at_once=REFUSED_LOGINS,
            delay_seconds=REFUSED_LOGIN_SECONDS,
            max_waiting=MAX_REFUSED_LOGINS,
        ),
    )


def find_key(settings: Settings) -> str:
    """Return the key of the logins; a random one if none is set, which the log says."""
    if settings.console_key is not None:
        return settings.console_key.get_secret_value()
    if settings.clients_file is not None:
        log.info(
            "console key is random",
            effect="logins end with this process, and do not count at others",
            do=f"set {variable_name('console_key')}",
        )
    return secrets.token_hex(KEY_OCTETS)


def build_services(service: Service) -> Services:
    """Return the use cases behind the methods of gRPC."""
    handlers, limits = service.handlers, service.call_limits
    reading, listing = handlers.read_jobs.read, limits.listing
    return Services(
        access=None if service.access is None else service.access.control,
        check_call=service.check_call,
        slots=Slots(
            reading=limits.reading,
            listing=listing,
            changing=limits.changing,
            changing_many=limits.changing_many,
            changing_meetings=limits.changing_meetings,
        ),
        status=handlers.status.status,
        read_jobs=reading,
        read_meetings=handlers.meetings.read,
        change_meeting=handlers.meetings.change_meeting,
        change_job=handlers.change_jobs.change_job,
        change_jobs=handlers.change_jobs.change_jobs,
        sending=handlers.sending.sending,
        suppressions=handlers.suppressions.suppressions,
        change_suppressions=handlers.suppressions.changing,
        recipients=handlers.recipients.recipients,
        erase_recipients=handlers.recipients.erasing,
        submit=service.submit,
        templates=handlers.templates.templates,
        preview=handlers.templates.preview,
        send_test=handlers.templates.test,
        mails=service.mails,
        rules=JobRules(
            daily_plan=handlers.change_jobs.daily_plan,
            keep_trying=handlers.change_jobs.keep_trying,
            window=handlers.change_jobs.window,
            addresses=handlers.suppressions.addresses,
        ),
        write_json=write_json,
        process=build_own_process(service),
        attempts=service.built.delivery.attempts,
        figures=Figures(read_jobs=reading, listing=listing, now=service.resources.clock),
        history=ReadHistory(
            store=MongoHistory(mongo=service.resources.mongo), now=service.resources.clock
        ),
        audit=service.built.audit,
        clients=build_client_reader(service),
    )


def write_json(job: Job) -> str:
    """Return *job* as GetJob does, in the JSON of the contract."""
    message = job_message(job, task_pb2.Job.FULL)
    return MessageToJson(message, preserving_proto_field_name=True, ensure_ascii=False)
