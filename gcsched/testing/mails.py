"""The mails that a service under test has sent, read from the files of the mail catcher."""

from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedMail:
    """A mail: the address and the subject in its headers, its two parts, and all of it.

    *text* and *html* are "" if the mail has no such part; their lines end with a line feed alone.
    """

    to: str
    subject: str
    text: str
    html: str = field(repr=False)
    message: EmailMessage = field(repr=False, compare=False)


def read_mails(folder: Path) -> list[ReceivedMail]:
    """Return the mails in *folder* in the order of their arrival."""
    files = sorted(folder.glob("*.eml")) if folder.exists() else []
    return [parse_mail(each.read_bytes()) for each in files]


def parse_mail(content: bytes) -> ReceivedMail:
    message = message_from_bytes(content, policy=default)
    addresses = message["to"].addresses if "to" in message else ()
    return ReceivedMail(
        to=", ".join(each.addr_spec for each in addresses),
        subject=str(message.get("subject", "")),
        text=read_part(message, "plain"),
        html=read_part(message, "html"),
        message=message,
    )


def read_part(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    return "" if part is None else str(part.get_content()).replace("\r\n", "\n")
