"""Open a session: TCP by us, TLS, EHLO and AUTH by aiosmtplib; then our protocol takes over."""

import asyncio
import base64
import os
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import aiosmtplib
from aiohappyeyeballs import AddrInfoType, start_connection

from gcsched.adapters.smtp.conversation import REFUSALS, Conversation
from gcsched.adapters.smtp.envelope import Offer
from gcsched.adapters.smtp.options import Limits, RelaySettings, Security
from gcsched.adapters.smtp.session import Session
from gcsched.domain.caller_text import printable
from gcsched.domain.smtp_reply import Answered, Broken, Reply, Stage

NEXT_ADDRESS_AFTER_SECONDS = 0.25  # RFC 8305 section 8
TRY_ANOTHER_MECHANISM = {504, 534}  # RFC 4954 section 6


class Unusable(Exception):
    """The relay cannot be used now, in words that hold no secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Connector:
    """Opens sessions with one relay."""

    relay: RelaySettings
    limits: Limits
    trust: ssl.SSLContext | None

    async def open(self) -> Session | Answered | Broken:
        """Give a session that is ready for MAIL, or say at which stage it failed and why."""
        return await Opening(self).run()


class Opening:
    """One try to open a session; remembers how far it came."""

    def __init__(self, connector: Connector) -> None:
        self._relay = connector.relay
        self._limits = connector.limits
        self._trust = connector.trust
        self._stage = Stage.CONNECT
        self._secrets: list[str] = []

    async def run(self) -> Session | Answered | Broken:
        try:
            return await self._open(await self._socket())
        except aiosmtplib.SMTPResponseException as refused:
            return self._answer(refused)
        except (Unusable, OSError, aiosmtplib.SMTPException) as error:
            return Broken(self._stage, reason(error))

    async def _socket(self) -> socket.socket:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(self._limits.connect.total_seconds()):
            try:
                found = await loop.getaddrinfo(
                    self._relay.host, self._relay.port, type=socket.SOCK_STREAM
                )
            except UnicodeError as error:  # of the IDNA codec: a label is too long or empty
                raise Unusable("the relay's name is no host name") from error
            return await first_that_connects(found)

    async def _open(self, sock: socket.socket) -> Session:
        smtp = self._client(sock)
        try:
            await self._greet(smtp)
            await self._secure(smtp)
            await hello(smtp)
            await self._login(smtp)
            return self._take_over(smtp)
        finally:
            # Ours by now, and then aiosmtplib has nothing left to close; or it failed.
            if smtp.transport is not None:
                cast("asyncio.Transport", smtp.transport).abort()

    def _client(self, sock: socket.socket) -> aiosmtplib.SMTP:
        return aiosmtplib.SMTP(
            hostname=self._relay.host,
            sock=sock,
            timeout=self._limits.greeting.total_seconds(),
            use_tls=self._relay.security is Security.TLS,
            start_tls=False,  # done by hand, so that a failure has a stage
            tls_context=self._trust,
            local_hostname=self._relay.local_hostname or literal(sock),
        )

    async def _greet(self, smtp: aiosmtplib.SMTP) -> None:
        try:
            await smtp.connect()
        except aiosmtplib.SMTPConnectError as error:
            # TCP stands already, so what the operating system complains about is the handshake.
            if not isinstance(error.__cause__, aiosmtplib.SMTPException | None):
                self._stage = Stage.TLS
            raise

    async def _secure(self, smtp: aiosmtplib.SMTP) -> None:
        if self._relay.security is not Security.STARTTLS:
            return
        await hello(smtp)
        self._stage = Stage.TLS
        if not smtp.supports_extension("starttls"):
            raise Unusable("the relay does not offer STARTTLS, and nothing is sent without it")
        await smtp.starttls()
        self._stage = Stage.CONNECT

    async def _login(self, smtp: aiosmtplib.SMTP) -> None:
        if self._relay.username is None:
            return
        self._stage = Stage.AUTH
        username, password = self._relay.username, self._password()
        self._secrets = secrets_in(username, password)
        login = {
            "plain": smtp.auth_plain,
            "login": smtp.auth_login,
            "cram-md5": smtp.auth_crammd5,
        }
        offered = [name for name in login if name in smtp.server_auth_methods]
        if not offered:
            raise Unusable("the relay offers no AUTH mechanism that we speak")
        # aiosmtplib's login() tries every mechanism: three wrong passwords where there was one.
        for name in offered:
            try:
                await login[name](username, password)
            except aiosmtplib.SMTPAuthenticationError as refused:
                if refused.code not in TRY_ANOTHER_MECHANISM or name == offered[-1]:
                    raise
            else:
                return

    def _password(self) -> str:
        try:
            password = self._relay.password() if self._relay.password else None
            if password:
                password.encode()
        except (OSError, ValueError) as error:
            raise Unusable("the password cannot be read") from error
        if not password:
            raise Unusable("there is a username but no password")
        return password

    def _take_over(self, smtp: aiosmtplib.SMTP) -> Session:
        if not smtp.is_connected:
            raise Unusable("the relay closed the connection")
        transport = cast("asyncio.Transport", smtp.transport)
        smtp.transport = smtp.protocol = None
        talk = Conversation(transport)
        return Session(talk, Offer.read(smtp.esmtp_extensions), self._limits)

    def _answer(self, refused: aiosmtplib.SMTPResponseException) -> Answered | Broken:
        if refused.code not in REFUSALS:
            return Broken(self._stage, "the relay sent a reply that has no meaning there")
        text = refused.message.encode(errors="replace").decode()
        if any(secret in text for secret in self._secrets):
            text = "(the relay's text is not shown, it repeats the login)"
        return Answered(Reply.parse(self._stage, refused.code, printable(" ".join(text.split()))))


async def first_that_connects(addresses: Sequence[AddrInfoType]) -> socket.socket:
    """Try one address after the other, the next one while one is silent: RFC 8305 section 5.

    Raises OSError when all refuse; those that stay silent are waited for.
    """
    try:
        return await start_connection(addresses, happy_eyeballs_delay=NEXT_ADDRESS_AFTER_SECONDS)
    except OSError as error:
        if error.errno is None:  # each has an error of its own
            raise Unusable("none of the relay's addresses takes a connection") from error
        raise


async def hello(smtp: aiosmtplib.SMTP) -> None:
    """Say EHLO once, or HELO to a relay that does not know it: RFC 5321 section 3.2."""
    if not smtp.is_ehlo_or_helo_needed:
        return
    try:
        await smtp.ehlo()
    except aiosmtplib.SMTPHeloError as refused:
        if refused.code not in {500, 502, 550} or not smtp.is_connected:
            raise
        await smtp.helo()


def literal(sock: socket.socket) -> str:
    """Name ourselves by our address: always valid, and never waits for DNS."""
    address = str(sock.getsockname()[0])
    return f"[IPv6:{address.partition('%')[0]}]" if ":" in address else f"[{address}]"


def trust_in(relay: RelaySettings) -> ssl.SSLContext | None:
    """Verify certificate and name, by the system's authorities or by *relay*'s own file only."""
    if relay.security is Security.NONE:
        return None
    trust = ssl.create_default_context(cafile=relay.ca_file)
    trust.minimum_version = ssl.TLSVersion.TLSv1_2
    return trust


def secrets_in(username: str, password: str) -> list[str]:
    """List in which forms the relay could repeat the login."""
    both = f"\0{username}\0{password}"
    return [password, *(base64.b64encode(secret.encode()).decode() for secret in (password, both))]


def reason(error: Exception) -> str:
    """Say what failed; texts of the relay are left out, they may hold anything."""
    cause = error.__cause__ if isinstance(error, aiosmtplib.SMTPException) else error
    match cause:
        case Unusable():
            return str(cause)
        case ssl.SSLError():
            return f"TLS failed: {getattr(cause, 'verify_message', cause.reason)}"
        case socket.gaierror():
            return f"the relay's name cannot be resolved: {cause.strerror}"
        case TimeoutError():
            return "the relay did not answer in time"
        case OSError() if cause.errno:
            return f"the connection failed: {os.strerror(cause.errno)}"
    return "the relay closed the connection or did not keep to the protocol"
