"""Builds access control: the clients in their file, who calls, and what operators see of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import structlog

from gcsched.adapters.clients_file import ClientsFile
from gcsched.config.fields import variable_name
from gcsched.config.settings import Settings
from gcsched.domain.client_registry import ClientRegistry, find_expiries, find_unknown_senders
from gcsched.domain.senders import Senders
from gcsched.errors import SettingsProblems
from gcsched.rpc.access_gate import AccessGate, OnCall
from gcsched.usecases.access.access_control import AccessControl
from gcsched.usecases.access.client_reload import ClientReload
from gcsched.usecases.monitoring.status import AccessReport
from gcsched.usecases.ports import Clock
from gcsched.web.access_metrics import AccessMetrics
from gcsched.web.readiness import Dependency
from gcsched.wiring import policies
from gcsched.wiring.resources import Resources
from gcsched.wiring.tls import Tls

log: structlog.stdlib.BoundLogger = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Who may call, and the loop that reads the clients again when their file changes."""

    control: AccessControl
    reload: ClientReload

    def build_gate(self, settings: Settings, on_call: OnCall) -> AccessGate:
        return AccessGate(self.control, on_call=on_call, has_certificates=settings.has_client_ca)


def load_clients(settings: Settings) -> ClientsFile | None:
    """Return the file of clients, which was read once; None if access is not controlled.

    Raises SettingsProblems with all that is wrong.
    """
    if settings.clients_file is None:
        return None
    file = ClientsFile(settings.clients_file)
    try:
        file.load()
    except SettingsProblems as error:
        prefix = f"{variable_name('clients_file')} cannot be used"
        raise SettingsProblems([f"{prefix}: {each}" for each in error.sentences]) from error
    return file


def build_access(settings: Settings, resources: Resources) -> Access | None:
    """Build access control, and register its metrics; None if access is not controlled."""
    file = resources.clients_file
    if file is None:
        return None
    check_clients = partial(warn_of_unknown_senders, policies.senders(settings))
    control = AccessControl(registry=file.load(), now=resources.clock)
    check_clients(control.registry)
    reload = ClientReload(source=file, access=control, on_clients=check_clients)
    resources.metrics.registry.register(
        AccessMetrics(
            refusals=lambda: control.refusals,
            is_file_usable=lambda: reload.problem is None,
            client_count=lambda: len(control.registry.clients),
            expiries=partial(read_expiries, control, resources.clock),
        )
    )
    return Access(control=control, reload=reload)


def warn_of_unknown_senders(senders: Senders, registry: ClientRegistry) -> None:
    """Log the clients whose senders this service does not have: their requests are refused."""
    for client, unknown in find_unknown_senders(registry, senders).items():
        log.warning(
            "senders of a client are not configured",
            client=client,
            senders=unknown,
            do=f"add them to {variable_name('senders')}, or remove them from the clients file",
        )


def read_expiries(control: AccessControl, now: Clock) -> Mapping[str, datetime]:
    return find_expiries(control.registry, now=now())


def make_access_dependency(access: Access) -> Dependency:
    return Dependency(name="clients file", problem=lambda: access.reload.problem)


def make_access_reporter(
    settings: Settings, access: Access | None, tls: Tls
) -> Callable[[], AccessReport]:
    """Return a function that reports who may call, and how calls reach the process."""

    def report() -> AccessReport:
        problems = [None if access is None else access.reload.problem, *tls.problems()]
        return AccessReport(
            is_controlled=access is not None,
            is_encrypted=settings.has_tls,
            is_insecure=settings.is_insecure or settings.is_console_insecure,
            clients=0 if access is None else len(access.control.registry.clients),
            problem="; ".join(filter(None, problems)) or None,
        )

    return report


def warn_if_insecure(settings: Settings) -> None:
    """Log what is open to other machines; GCSCHED_ALLOW_INSECURE has allowed it."""
    if settings.is_insecure:
        log.warning(
            "insecure access allowed",
            grpc=settings.grpc_listen,
            is_encrypted=settings.has_tls,
            is_controlled=settings.clients_file is not None,
            risk="other machines can reach gRPC: without TLS they can read calls and tokens,"
            " without a clients file they can schedule mails, read jobs and pause sending",
        )
    if settings.is_console_insecure:
        log.warning(
            "insecure console allowed",
            console=settings.console_listen,
            is_encrypted=settings.is_console_encrypted,
            is_controlled=settings.clients_file is not None,
            risk="other machines can reach the console: without TLS they can read pages and tokens,"
            " without a clients file they can do all that an operator can",
        )
