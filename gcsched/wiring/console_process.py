"""Builds what the console says about the process that serves it, and about those who call it."""

import os
import platform
from collections.abc import Callable, Iterable, Iterator

from gcsched.adapters.smtp.pool import SmtpSessionPool
from gcsched.domain.client_registry import find_expiries
from gcsched.usecases.access.access_control import AccessControl
from gcsched.usecases.access.read_clients import ReadClients
from gcsched.web.console.own_process import Expiry, OwnProcess
from gcsched.wiring.assembly import Service
from gcsched.wiring.tls import Tls


def build_own_process(service: Service) -> OwnProcess:
    resources, metrics = service.resources, service.resources.metrics
    mailers = {each.name: each for each in resources.mailers}
    control = None if service.access is None else service.access.control
    return OwnProcess(
        name=f"{platform.node()}, process {os.getpid()}",
        claimed_jobs=lambda: service.built.delivery.leases.job_count,
        loop_lag=metrics.recent_lag.find,
        repairs=metrics.recent_repairs.total,
        clock_offset=lambda: resources.clock.offset,
        redis_clock_offset=lambda: service.built.recovery.redis_clock.offset,
        expiries=make_expiry_list(resources.tls, control, mailers.values()),
        find_greeting=lambda relay: mailers[relay].greeting,
    )


def make_expiry_list(
    tls: Tls, control: AccessControl | None, mailers: Iterable[SmtpSessionPool]
) -> Callable[[], Iterator[Expiry]]:
    """Return a function that lists the ends of certificates, and of each client's last token."""

    def find() -> Iterator[Expiry]:
        for listener, name, end in tls.ends():
            what = f"The {name} certificate of {listener}"
            yield Expiry(what=what, end=end, remedy="renew its file")
        for mailer in mailers:
            if mailer.greeting is not None and mailer.greeting.certificate_end is not None:
                what = f"The certificate of the relay {mailer.name}"
                remedy, end = "tell those who run it", mailer.greeting.certificate_end
                yield Expiry(what=what, end=end, remedy=remedy, path="relays")
        if control is not None:
            for client, end in find_expiries(control.registry, now=control.now()).items():
                remedy = f"gcsched token new {client}"
                yield Expiry(what=f"The last token of {client}", end=end, remedy=remedy)

    return find


def build_client_reader(service: Service) -> ReadClients | None:
    """Build what reads the clients; None where access is not controlled."""
    if service.access is None:
        return None
    limits = service.built.limits
    return ReadClients(
        control=service.access.control,
        calls=limits.calls,
        limits=limits.reports,
        usage=limits.usage,
        now=service.resources.clock,
    )
