"""Open a session: TCP here, TLS, EHLO and AUTH by aiosmtplib; then `Session` takes over."""

import asyncio
import base64
import os
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

import aiosmtplib
from aiohappyeyeballs import AddrInfoType, start_connection

from gcsched.adapters.smtp.envelope import Capabilities
from gcsched.adapters.smtp.greeting import Greeting
from gcsched.adapters.smtp.relay_settings import RelaySettings, Security, Timeouts
from gcsched.adapters.smtp.replies import REFUSALS
from gcsched.adapters.smtp.session import Session
from gcsched.domain.caller_text import replace_unprintable
from gcsched.domain.smtp_reply import Answered, Broken, Reply, Stage

HAPPY_EYEBALLS_DELAY_SECONDS = 0.25  # RFC 8305 section 8
TRY_ANOTHER_MECHANISM = {504, 534}  # RFC 4954 section 6


class RelayUnusable(Exception):
    """The relay cannot be used now; the text holds no secret."""


@dataclass(slots=True, kw_only=True, eq=False)
class Connector:
    """Opens sessions with one relay; *greeting* is that of the latest one."""

    relay: RelaySettings
    timeouts: Timeouts
    tls_context: ssl.SSLContext | None
    greeting: Greeting | None = field(default=None, init=False)

    async def open(self) -> Session | Answered | Broken:
        """Return a session that is ready for MAIL, or the stage that failed and why."""
        return await ConnectionAttempt(self).run()


class ConnectionAttempt:
    """One try to open a session; remembers the stage that it reached."""

    def __init__(self, connector: Connector) -> None:
        self._connector = connector
        self._relay = connector.relay
        self._timeouts = connector.timeouts
        self._tls_context = connector.tls_context
        self._stage = Stage.CONNECT
        self._secrets: list[str] = []

    async def run(self) -> Session | Answered | Broken:
        try:
            return await self._open_session(await self._connect())
        except aiosmtplib.SMTPResponseException as refused:
            return self._parse_refusal(refused)
        except (RelayUnusable, OSError, aiosmtplib.SMTPException) as error:
            return Broken(self._stage, describe_failure(error))

    async def _connect(self) -> socket.socket:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(self._timeouts.connect.total_seconds()):
            try:
                found = await loop.getaddrinfo(
                    self._relay.host, self._relay.port, type=socket.SOCK_STREAM
                )
            except UnicodeError as error:  # of the IDNA codec: a label is too long or empty
                raise RelayUnusable("the relay's name is not a host name") from error
            return await connect_to_first(found)

    async def _open_session(self, sock: socket.socket) -> Session:
        smtp = self._make_client(sock)
        try:
            await self._greet(smtp)
            await self._start_tls(smtp)
            await send_ehlo(smtp)
            await self._login(smtp)
            return self._make_session(smtp)
        finally:
            # On success the session has taken the transport from aiosmtplib; else close it here.
            if smtp.transport is not None:
                cast("asyncio.Transport", smtp.transport).abort()

    def _make_client(self, sock: socket.socket) -> aiosmtplib.SMTP:
        return aiosmtplib.SMTP(
            hostname=self._relay.host,
            sock=sock,
            timeout=self._timeouts.greeting.total_seconds(),
            use_tls=self._relay.security is Security.TLS,
            start_tls=False,  # done by hand, so that a failure has a stage
            tls_context=self._tls_context,
            local_hostname=self._relay.local_hostname or address_literal(sock),
        )

    async def _greet(self, smtp: aiosmtplib.SMTP) -> None:
        try:
            await smtp.connect()
        except aiosmtplib.SMTPConnectError as error:
            # TCP is connected already, so an error of the operating system is about the handshake.
            if not isinstance(error.__cause__, aiosmtplib.SMTPException | None):
                self._stage = Stage.TLS
            raise

    async def _start_tls(self, smtp: aiosmtplib.SMTP) -> None:
        if self._relay.security is not Security.STARTTLS:
            return
        await send_ehlo(smtp)
        self._stage = Stage.TLS
        if not smtp.supports_extension("starttls"):
            raise RelayUnusable("the relay does not offer STARTTLS, and nothing is sent without it")
        await smtp.starttls()
        self._stage = Stage.CONNECT

    async def _login(self, smtp: aiosmtplib.SMTP) -> None:
        if self._relay.username is None:
            return
        self._stage = Stage.AUTH
        username, password = self._relay.username, self._read_password()
        self._secrets = list_secret_forms(username, password)
        login = {
            "plain": smtp.auth_plain,
            "login": smtp.auth_login,
            "cram-md5": smtp.auth_crammd5,
        }
        offered = [name for name in login if name in smtp.server_auth_methods]
        if not offered:
            raise RelayUnusable("the relay offers no AUTH mechanism that we speak")
        # Not aiosmtplib's login(): it tries every mechanism, so one wrong password counts as three.
        for name in offered:
            try:
                await login[name](username, password)
            except aiosmtplib.SMTPAuthenticationError as refused:
                if refused.code not in TRY_ANOTHER_MECHANISM or name == offered[-1]:
                    raise
            else:
                return

    def _read_password(self) -> str:
        try:
            password = self._relay.password() if self._relay.password else None
            if password:
                password.encode()
        except (OSError, ValueError) as error:
            raise RelayUnusable("the password cannot be read") from error
        if not password:
            raise RelayUnusable("there is a username but no password")
        return password

    def _make_session(self, smtp: aiosmtplib.SMTP) -> Session:
        if not smtp.is_connected:
            raise RelayUnusable("the relay closed the connection")
        transport = cast("asyncio.Transport", smtp.transport)
        smtp.transport = smtp.protocol = None
        self._connector.greeting = Greeting.of(transport, smtp.esmtp_extensions)
        return Session(transport, Capabilities.parse(smtp.esmtp_extensions), self._timeouts)

    def _parse_refusal(self, refused: aiosmtplib.SMTPResponseException) -> Answered | Broken:
        if refused.code not in REFUSALS:
            return Broken(self._stage, "the relay sent a reply that is not valid here")
        text = refused.message.encode(errors="replace").decode()
        if any(secret in text for secret in self._secrets):
            text = "(the relay's text is not shown, because it repeats the login)"
        return Answered(
            Reply.parse(self._stage, refused.code, replace_unprintable(" ".join(text.split())))
        )


async def connect_to_first(addresses: Sequence[AddrInfoType]) -> socket.socket:
    """Connect to the first address that answers; a silent one delays the next by 250 ms (RFC 8305).

    Waits while one is still silent. Raises OSError if the only address refuses, and RelayUnusable
    if several do.
    """
    try:
        return await start_connection(addresses, happy_eyeballs_delay=HAPPY_EYEBALLS_DELAY_SECONDS)
    except OSError as error:
        if error.errno is None:  # several addresses, each with an error of its own
            raise RelayUnusable("no address of the relay takes a connection") from error
        raise


async def send_ehlo(smtp: aiosmtplib.SMTP) -> None:
    """Send EHLO once, or HELO to a relay that does not know EHLO (RFC 5321 section 3.2)."""
    if not smtp.is_ehlo_or_helo_needed:
        return
    try:
        await smtp.ehlo()
    except aiosmtplib.SMTPHeloError as refused:
        if refused.code not in {500, 502, 550} or not smtp.is_connected:
            raise
        await smtp.helo()


def address_literal(sock: socket.socket) -> str:
    """Return our own address as the name for EHLO: always valid, and without a wait for DNS."""
    address = str(sock.getsockname()[0])
    return f"[IPv6:{address.partition('%')[0]}]" if ":" in address else f"[{address}]"


def make_tls_context(relay: RelaySettings) -> ssl.SSLContext | None:
    """Make a context that verifies certificate and name, by *relay*'s file or the system's."""
    if relay.security is Security.NONE:
        return None
    context = ssl.create_default_context(cafile=relay.ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def list_secret_forms(username: str, password: str) -> list[str]:
    """Return the forms in which the relay could repeat the login."""
    both = f"\0{username}\0{password}"
    return [password, *(base64.b64encode(secret.encode()).decode() for secret in (password, both))]


def describe_failure(error: Exception) -> str:
    """Describe what failed, without texts of the relay, which may hold anything."""
    cause = error.__cause__ if isinstance(error, aiosmtplib.SMTPException) else error
    match cause:
        case RelayUnusable():
            return str(cause)
        case ssl.SSLError():
            return f"TLS failed: {getattr(cause, 'verify_message', cause.reason)}"
        case socket.gaierror():
            return f"the relay's name cannot be resolved: {cause.strerror}"
        case TimeoutError():
            return "the relay did not answer in time"
        case OSError() if cause.errno:
            return f"the connection failed: {os.strerror(cause.errno)}"
    return "the relay closed the connection or violated the protocol"
