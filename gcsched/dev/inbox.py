"""The inbox of `gcsched dev`: the folder of the mail catcher, read for the console."""

import asyncio
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from email.utils import getaddresses
from mimetypes import guess_extension
from pathlib import Path

from gcsched.dev.mail_catcher import decode_part, read_or_default
from gcsched.web.console.inbox import Attachment, InboxEntry, InboxMail
from gcsched.web.console.mail_view import InlinePart

NAME = re.compile(r"(?P<id>[0-9]{8}T[0-9]{6}\.[0-9]{6}Z)-.*\.eml", re.DOTALL)
TIME_FORMAT = "%Y%m%dT%H%M%S.%fZ"
JOB_ID = re.compile(r"<?([0-9a-f]{32})[.@]")
MAX_SEARCHED = 1000
"""A search looks at so many of the newest mails."""
MAX_HEADER_LENGTH = 2000


@dataclass(kw_only=True, eq=False)
class MailFolder:
    """The mails in *folder*. What a list shows of each is read once, and then remembered."""

    folder: Path
    _entries: dict[str, InboxEntry] = field(default_factory=dict, init=False)
    _arrived: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    def notify(self) -> None:
        """Wake those who wait for a mail: one was caught."""
        self._arrived.set()
        self._arrived = asyncio.Event()

    async def wait_for_mail(self, seconds: float) -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                return await self._arrived.wait()
        return False

    async def list_mails(
        self, *, words: str = "", recipient: str = "", before: str = "", most: int
    ) -> Sequence[InboxEntry]:
        return await asyncio.to_thread(self._list, words.casefold(), recipient, before, most)

    async def read_mail(self, mail_id: str) -> InboxMail | None:
        return await asyncio.to_thread(self._read, mail_id)

    async def delete_mails(self, *, recipient: str = "") -> int:
        return await asyncio.to_thread(self._delete, recipient)

    def _list(self, words: str, recipient: str, before: str, most: int) -> list[InboxEntry]:
        files = self._find_files()
        newest = sorted((each for each in files if not before or each < before), reverse=True)
        is_search = bool(words or recipient)
        found: list[InboxEntry] = []
        for mail_id in newest[: MAX_SEARCHED if is_search else most]:
            entry = self._find_entry(mail_id, files[mail_id])
            if entry is not None and has_words(entry, words) and is_to(entry, recipient):
                found.append(entry)
            if len(found) == most:
                break
        return found

    def _read(self, mail_id: str) -> InboxMail | None:
        file = self._find_files().get(mail_id)
        content = None if file is None else read_file(file)
        return None if content is None else read_mail(mail_id, content)

    def _delete(self, recipient: str) -> int:
        files = self._find_files()
        entries = {mail_id: self._find_entry(mail_id, file) for mail_id, file in files.items()}
        gone = [
            mail_id
            for mail_id, entry in entries.items()
            if not recipient or (entry is not None and is_to(entry, recipient))
        ]
        for mail_id in gone:
            # The .eml comes last, as it was written last: without it the mail does not exist.
            files[mail_id].with_suffix(".html").unlink(missing_ok=True)
            files[mail_id].unlink(missing_ok=True)
            self._entries.pop(mail_id, None)
        return len(gone)

    def _find_files(self) -> dict[str, Path]:
        found = [(NAME.fullmatch(file.name), file) for file in list_files(self.folder)]
        return {name["id"]: file for name, file in found if name is not None}

    def _find_entry(self, mail_id: str, file: Path) -> InboxEntry | None:
        if mail_id not in self._entries:
            content = read_file(file)
            if content is None:
                return None
            self._entries[mail_id] = read_entry(mail_id, parse(content))
        return self._entries[mail_id]


def list_files(folder: Path) -> list[Path]:
    """Return the files in *folder*; none if it was removed."""
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def read_file(file: Path) -> bytes | None:
    """Return the content of *file*; None if it was deleted meanwhile."""
    try:
        return file.read_bytes()
    except OSError:
        return None


def parse(content: bytes) -> EmailMessage:
    return message_from_bytes(content, EmailMessage, policy=default)


def read_header(message: EmailMessage, name: str) -> str:
    value = read_or_default(lambda: str(message[name] or ""), otherwise="(unreadable)")
    return " ".join(value[:MAX_HEADER_LENGTH].split())


def read_entry(mail_id: str, message: EmailMessage) -> InboxEntry:
    message_id = read_header(message, "Message-ID")
    job_id = JOB_ID.match(message_id)
    recipients = getaddresses([read_header(message, name) for name in ("To", "Cc")])
    return InboxEntry(
        id=mail_id,
        time=datetime.strptime(mail_id, TIME_FORMAT).replace(tzinfo=UTC),
        recipients=tuple(address for _, address in recipients if address),
        sender=read_header(message, "From"),
        subject=read_header(message, "Subject"),
        message_id=message_id,
        job_id="" if job_id is None else job_id[1],
        attachments=len(list_attachments(message)),
    )


def read_mail(mail_id: str, content: bytes) -> InboxMail:
    message = parse(content)
    return InboxMail(
        entry=read_entry(mail_id, message),
        headers=[(name, read_header_again(value)) for name, value in message.raw_items()],
        html=read_or_default(lambda: decode_part(message, "html"), otherwise=None),
        text=read_or_default(lambda: decode_part(message, "plain"), otherwise=None),
        source=content.decode("utf-8", "replace"),
        parts=read_or_default(lambda: dict(find_inline_parts(message)), otherwise={}),
        attachments=list_attachments(message),
    )


def read_header_again(value: object) -> str:
    return " ".join(str(value).encode("utf-8", "replace").decode("utf-8").split())


def find_inline_parts(message: EmailMessage) -> Iterator[tuple[str, InlinePart]]:
    for part in message.walk():
        content_id, content = part.get("Content-ID"), part.get_payload(decode=True)
        if content_id and isinstance(content, bytes):
            name = str(content_id).strip().strip("<>")
            yield name, InlinePart(part.get_content_type(), content)


def list_attachments(message: EmailMessage) -> tuple[Attachment, ...]:
    return read_or_default(lambda: tuple(find_attachments(message)), otherwise=())


def find_attachments(message: EmailMessage) -> Iterator[Attachment]:
    """Yield the parts that are not shown as the mail itself, such as its calendar file."""
    shown = {id(message.get_body(("html",))), id(message.get_body(("plain",)))}
    for part in message.walk():
        content = part.get_payload(decode=True)
        if part.is_multipart() or id(part) in shown or not isinstance(content, bytes):
            continue
        kind = part.get_content_type()
        yield Attachment(
            name=part.get_filename() or f"part{guess_extension(kind) or '.bin'}",
            content_type=kind,
            content=content,
        )


def has_words(entry: InboxEntry, words: str) -> bool:
    shown = " ".join(
        [*entry.recipients, entry.sender, entry.subject, entry.message_id, entry.job_id]
    )
    return all(word in shown.casefold() for word in words.split())


def is_to(entry: InboxEntry, recipient: str) -> bool:
    known = {each.casefold() for each in entry.recipients}
    return not recipient or recipient.strip().casefold() in known
