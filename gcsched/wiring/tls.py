"""Builds TLS of the listeners, and what operators see of it."""

import asyncio
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from gcsched.adapters.tls.files import ListenerFiles, ListenerTls
from gcsched.adapters.tls.watch import TlsWatch
from gcsched.config.settings import Settings
from gcsched.errors import SettingsProblems
from gcsched.process.key_pairs import UnusableFile
from gcsched.rpc.server_certificate import ServerCertificate
from gcsched.usecases.ports import Clock
from gcsched.web.readiness import Dependency


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """TLS of the listeners of gRPC, of HTTP and of the console; None where a listener has none.

    *certificate* is the one of gRPC.
    """

    grpc: TlsWatch | None = None
    http: TlsWatch | None = None
    console: TlsWatch | None = None
    certificate: ServerCertificate | None = None

    @property
    def watches(self) -> list[TlsWatch]:
        return [each for each in (self.grpc, self.http, self.console) if each is not None]

    def http_context(self) -> ssl.SSLContext | None:
        """Return the context of the next connection of HTTP."""
        return None if self.http is None else self.http.current.pair.context

    def console_context(self) -> ssl.SSLContext | None:
        """Return the context of the next connection to the console."""
        return None if self.console is None else self.console.current.pair.context

    def console_hosts(self) -> tuple[str, ...] | None:
        """Return the names in the certificate of the console; None if it serves no TLS."""
        return None if self.console is None else self.console.current.pair.certificate.hosts

    def problems(self) -> list[str]:
        """Return what an operator has to do about certificates."""
        return [
            f"TLS of {each.listener}: {text}"
            for each in self.watches
            for text in (each.problem, each.expiry)
            if text
        ]

    def dependencies(self) -> list[Dependency]:
        """Return a dependency for each listener, named only while its TLS has a problem."""
        return [make_dependency(each) for each in self.watches]

    def ends(self) -> Iterator[tuple[str, str, datetime]]:
        """Yield for each certificate its listener, what it is, and when it expires."""
        for each in self.watches:
            for name, certificate in each.current.certificates.items():
                yield each.listener, name, certificate.end

    def failures(self) -> dict[str, bool]:
        """Return for each listener whether its files of now cannot be used."""
        return {each.listener: each.problem is not None for each in self.watches}

    async def run(self, stop: asyncio.Event) -> None:
        """Watch the files of all listeners."""
        async with asyncio.TaskGroup() as tasks:
            for each in self.watches:
                tasks.create_task(each.run(stop), name=f"TLS of {each.listener}")
            await stop.wait()


def make_dependency(watch: TlsWatch) -> Dependency:
    def problem() -> str | None:
        return watch.problem or (watch.expiry if watch.has_expired else None)

    return Dependency(name=f"TLS of {watch.listener}", problem=problem, is_always_reported=False)


def open_tls(settings: Settings, *, now: Clock) -> Tls:
    """Read the files of TLS. Raises SettingsProblems."""
    grpc = open_watch("gRPC", grpc_files(settings), now=now)
    http = open_watch("HTTP", http_files(settings), now=now)
    console = open_watch("console", console_files(settings), now=now)
    if grpc is None:
        return Tls(http=http, console=console)
    certificate = ServerCertificate(grpc.current.pair, grpc.current.authorities)

    def exchange(found: ListenerTls) -> None:
        certificate.exchange(found.pair, found.authorities)

    grpc.on_exchange = exchange
    return Tls(grpc=grpc, http=http, console=console, certificate=certificate)


def grpc_files(settings: Settings) -> ListenerFiles | None:
    chain, key = settings.grpc_tls_cert_file, settings.grpc_tls_key_file
    if chain is None or key is None:
        return None
    return ListenerFiles(chain=chain, key=key, authorities=settings.grpc_client_ca_file)


def http_files(settings: Settings) -> ListenerFiles | None:
    chain, key = settings.http_tls_cert_file, settings.http_tls_key_file
    return None if chain is None or key is None else ListenerFiles(chain=chain, key=key)


def console_files(settings: Settings) -> ListenerFiles | None:
    chain, key = settings.console_tls_cert_file, settings.console_tls_key_file
    if settings.console_listen is None or chain is None or key is None:
        return None
    return ListenerFiles(chain=chain, key=key)


def open_watch(listener: str, files: ListenerFiles | None, *, now: Clock) -> TlsWatch | None:
    if files is None:
        return None
    try:  # again: the files may have changed since the settings were checked
        current = files.read(now=now())
    except UnusableFile as error:
        sentence = f"a file of TLS of {listener} cannot be used: {error}"
        raise SettingsProblems([sentence]) from error
    return TlsWatch(listener=listener, files=files, now=now, current=current)
