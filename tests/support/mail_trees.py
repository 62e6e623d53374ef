"""The MIME trees of mails about meetings, and texts that try to break them."""

from datetime import UTC, datetime
from email.message import EmailMessage, MIMEPart
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from gcsched.adapters.mail.composer import Composer
from gcsched.adapters.mail.template_folder import default_folder
from gcsched.adapters.mail.templates import Templates
from gcsched.adapters.smtp.envelope import EncodedMail
from gcsched.domain.mail import Mail
from tests.support.invitations import parse_mail

LEAVES = datetime(2027, 1, 4, 8, 0, 1, tzinfo=UTC)
ANY = st.characters(exclude_categories=["Cs"])
ASCII = st.characters(min_codepoint=0x20, max_codepoint=0x7E)
ODD = st.sampled_from(
    ["<b>", "&amp;", "{{ message }}", "'\"", ".", "=_", "\ue0007\ue001", ";", ",", "\\n", "é"]
)
LINES = st.one_of(
    st.text(ASCII, max_size=90),
    st.text(ANY, max_size=30),
    st.lists(st.one_of(ODD, st.text(ASCII, max_size=20))).map("".join),
    st.integers(200, 300).map(lambda length: "x" * length),
)
TEXTS = st.lists(LINES, max_size=5).map("\n".join)
ALTERNATIVE = ("multipart/alternative", ["text/plain", "text/html", "text/calendar"])
PLAIN = ("multipart/alternative", ["text/plain", "text/html"])
MIXED = ("multipart/mixed", [ALTERNATIVE, "application/ics"])


def a_composer(*, has_invite_file: bool = True) -> Composer:
    return Composer(
        templates=Templates.load(default_folder()),
        sender_email="people@example.org",
        sender_name="People Team",
        timezone=ZoneInfo("Europe/Berlin"),
        has_invite_file=has_invite_file,
    )


def outline(part: MIMEPart) -> Any:
    """Return the types of a MIME tree."""
    kind = part.get_content_type()
    return (kind, [outline(each) for each in part.iter_parts()]) if part.is_multipart() else kind


def find_copies(content: bytes) -> tuple[EmailMessage, EmailMessage]:
    calendar, file = (
        part
        for part in parse_mail(content).walk()
        if part.get_content_type() in {"text/calendar", "application/ics"}
    )
    return calendar, file


def read_calendar_part(part: EmailMessage) -> bytes:
    octets = part.get_payload(decode=True)
    assert isinstance(octets, bytes)
    return octets


def on_the_wire(mail: Mail) -> bytes:
    return EncodedMail.encode(mail).dot_stuff(LEAVES)
