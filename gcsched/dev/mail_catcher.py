"""A relay that delivers nothing: it stores every mail as files and reports each one."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from types import SimpleNamespace
from typing import TypeVar
from weakref import WeakSet

import structlog
from aiosmtpd.smtp import SMTP, Envelope, Session

LOOPBACK = "127.0.0.1"
MAX_MAIL = 32 * 1024 * 1024
MAX_NAME = 80
MAX_TEXT = 10_000
UNSAFE = re.compile(r"[^A-Za-z0-9@._+-]+")
TIMESTAMP_STEP = timedelta(microseconds=1)

log: structlog.stdlib.BoundLogger = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class CaughtMail:
    """One caught mail: the start of its text, and its files; *html* only if it has an HTML part."""

    recipient: str
    subject: str
    text: str
    eml: Path
    html: Path | None


T = TypeVar("T")
OnCaught = Callable[[CaughtMail], None]


@dataclass(kw_only=True, eq=False)
class MailCatcher:
    """The handler for each mail; *now* names the files in the order of arrival."""

    folder: Path
    on_caught: OnCaught
    now: Callable[[], datetime]
    _latest: datetime | None = field(default=None, init=False)

    async def handle_mail(self, _: SMTP, __: Session, envelope: Envelope) -> str:
        """Store the mail; a reply of 250 means that it is on disk."""
        recipient = ", ".join(envelope.rcpt_tos)
        content = envelope.content
        if not isinstance(content, bytes):
            raise TypeError("aiosmtpd decoded the mail: its decode_data must be off")
        try:
            # In a thread: the event loop also runs the service.
            caught = await asyncio.to_thread(store_mail, self._stem(recipient), recipient, content)
        except OSError as error:
            why = error.strerror or type(error).__name__
            log.warning("mail not stored", folder=str(self.folder), error=why)
            return f"452 4.3.1 the mail cannot be stored: {why}"
        self.on_caught(caught)
        return f"250 2.0.0 stored as {caught.eml.name}"

    def _stem(self, recipient: str) -> Path:
        # Names are unique and sort by arrival, even if the clock stands still or goes back.
        moment = self.now()
        if self._latest is not None and moment <= self._latest:
            moment = self._latest + TIMESTAMP_STEP
        self._latest = moment
        name = UNSAFE.sub("_", recipient)[:MAX_NAME]
        return self.folder / f"{moment:%Y%m%dT%H%M%S.%fZ}-{name}"


@asynccontextmanager
async def run_mail_catcher(
    folder: Path, on_caught: OnCaught, *, now: Callable[[], datetime]
) -> AsyncIterator[int]:
    """Catch mails on a free loopback port and store them in *folder*; yield the port."""
    catcher = MailCatcher(folder=folder, on_caught=on_caught, now=now)
    loop = asyncio.get_running_loop()
    connections: WeakSet[SMTP] = WeakSet()

    def connection() -> SMTP:
        protocol = SMTP(
            SimpleNamespace(handle_DATA=catcher.handle_mail),
            data_size_limit=MAX_MAIL,
            enable_SMTPUTF8=True,
            hostname="localhost",
            ident="gcsched mail catcher",
            loop=loop,
        )
        connections.add(protocol)
        return protocol

    server = await loop.create_server(connection, LOOPBACK, 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        # close() only stops listening; open sessions would keep the loop busy.
        for protocol in connections:
            if protocol.transport is not None:
                protocol.transport.close()


def store_mail(stem: Path, recipient: str, content: bytes) -> CaughtMail:
    """Write the mail and its HTML part beside each other; the .eml is written last, atomically."""
    stem.parent.mkdir(parents=True, exist_ok=True)  # it may have been removed meanwhile
    message = message_from_bytes(content, policy=default)
    html = read_or_default(lambda: decode_part(message, "html"), otherwise=None)
    text = read_or_default(lambda: decode_part(message, "plain"), otherwise=None)
    page = stem.with_name(f"{stem.name}.html") if html is not None else None
    if page is not None and html is not None:
        # The byte order mark gives browsers the encoding, which the mail had in a header.
        replace_file(page, html.encode("utf-8-sig"))
    eml = stem.with_name(f"{stem.name}.eml")
    replace_file(eml, content)
    return CaughtMail(
        recipient=recipient,
        subject=read_or_default(lambda: str(message["subject"] or ""), otherwise="(unreadable)"),
        text=(text or "")[:MAX_TEXT],
        eml=eml,
        html=page,
    )


def replace_file(path: Path, content: bytes) -> None:
    """Write *content* to *path* atomically: readers never see a part of it."""
    unfinished = path.with_name(f".{path.name}.part")
    try:
        unfinished.write_bytes(content)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def decode_part(message: EmailMessage, kind: str) -> str | None:
    """Return the body of that *kind*, decoded by its charset; undecodable bytes are replaced."""
    found = message.get_body((kind,))
    content = None if found is None else found.get_payload(decode=True)
    charset = "utf-8" if found is None else found.get_content_charset("utf-8")
    return content.decode(charset, "replace") if isinstance(content, bytes) else None


def read_or_default(read: Callable[[], T], *, otherwise: T) -> T:
    try:
        return read()
    except Exception:  # noqa: BLE001  # a mail that breaks the parser is stored all the same
        return otherwise
