"""Encode header values and addresses so that every parser reads back the same values."""

import re
from base64 import b64encode
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import lru_cache
from itertools import pairwise

import idna

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")  # exactly Unicode's category Cc
NOT_IN_ADDRESS = re.compile(r'[\s"(),:;<>\[\]\\]')  # RFC 5322 specials except . and @
ATOMS = r'[^\s"(),:;<>@\[\]\\]+'
ONE_ADDRESS = re.compile(
    rf"""
    (?: {ATOMS} | "(?: [^"\\] | \\[\x20-\x7e] )+" )     # RFC 5321 section 4.1.2: Local-part
    @ (?: {ATOMS} | \[ [0-9A-Za-z.:]+ \] )              # the same: Domain, address-literal
    """,
    re.VERBOSE,
)
ORDINARY_NAME = re.compile(r"[A-Za-z0-9 .'-]+")  # needs quotes only, no escaping
ESCAPED, BACKSLASHED = re.compile(r'["\\]'), r"\\\g<0>"  # RFC 5322 section 3.2.4
CONTINUATION = range(0x80, 0xC0)  # second and later octets of a UTF-8 character
LINE = 78  # RFC 5322 section 2.1.1, without CRLF
WORD_LINE = 76  # RFC 2047 section 2, for a line that holds an encoded word
WORD_FRAME = len("=?utf-8?b??=")
DATE_OCTETS = len("Thu, 01 Jan 1970 00:00:00 +0000")
# Line ends of any kind become spaces. The directional controls below are removed: they would
# reverse how the address beside the name is displayed.
LINE_ENDS = dict.fromkeys([*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029], " ")
DISPLAY_NAME_TRANSLATION = {
    **LINE_ENDS,
    **dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A)], ""),
}


def reject_controls(header: str, value: str) -> str:
    """Return *value*. Raises ValueError if it could end the header line and start another."""
    if CONTROL.search(value):
        raise ValueError(f"{header} contains a control character")
    return value


def encode_unstructured(header: str, value: str) -> bytes:
    """Encode *value* for the free-text *header*: plain, folded, or as encoded words (RFC 2047)."""
    used = len(header) + len(": ")
    lines = fold_plain(reject_controls(header, value), first=LINE - used)
    lines = lines or encode_words(value, first=WORD_LINE - used)
    return "\r\n ".join(lines).encode("ascii")


def encode_mailbox(header: str, name: str, address: str) -> bytes:
    """Encode ``name <address>`` (RFC 5322 section 3.4), or the bare address without a name.

    Not EmailMessage, because it loses a space of a long name where it folds (Python 3.11).
    """
    short = f'"{name}" <{address}>'
    if len(short) <= WORD_LINE - len(header) - len(": ") and ORDINARY_NAME.fullmatch(name):
        return short.encode()  # a shortcut for most names, as this runs for every mail
    if not reject_controls(header, name):
        return address.encode()
    *lines, last = encode_phrase(name, used=len(header) + len(": "))
    between = " " if len(f"{header}: {last} <{address}>") <= WORD_LINE else "\r\n "
    return "\r\n ".join([*lines, f"{last}{between}<{address}>"]).encode()


def clean_display_name(name: str) -> str:
    """Return *name* as a mailbox can show it; stored names may be older than the rules of today.

    The name is optional: odd characters in it must not keep the mail from leaving.
    """
    return (name if name.isprintable() else name.translate(DISPLAY_NAME_TRANSLATION)).strip()


def encode_phrase(name: str, *, used: int) -> list[str]:
    """Encode a display name as one quoted string, or as encoded words where that is impossible."""
    if name.isascii() and "=?" not in name:
        quoted = f'"{ESCAPED.sub(BACKSLASHED, name)}"'
        if len(quoted) <= LINE - used:
            return [quoted]
    return encode_words(name, first=WORD_LINE - used)


def fold_plain(value: str, *, first: int) -> list[str] | None:
    """Return *value* as lines of plain ASCII; None where a parser would read it differently."""
    if not value.isascii() or "=?" in value or value != value.strip(" "):
        return None
    if len(value) <= first:
        return [value]
    # A fold in a run of spaces leaves a line that starts or ends with one, and relays trim it.
    return None if "  " in value else fold_words(value.split(" "), first=first)


def fold_words(words: list[str], *, first: int) -> list[str] | None:
    """Fill lines greedily, the first up to *first* columns; None if some word is too long."""
    lines, room = [words[0]], first
    for word in words[1:]:
        if len(lines[-1]) + 1 + len(word) <= room:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
            room = LINE - 1
    fits = len(lines[0]) <= first and all(len(line) < LINE for line in lines)
    return lines if fits else None


def encode_words(value: str, *, first: int) -> list[str]:
    """Encode *value* as base64 encoded words of at most 75 characters, one to a line."""
    octets = value.encode()
    if len(octets) <= octets_in(first):
        return [f"=?utf-8?b?{b64encode(octets).decode()}?="]
    cuts = [0, find_character_boundary(octets, octets_in(first))]
    while cuts[-1] < len(octets):
        cuts.append(find_character_boundary(octets, cuts[-1] + octets_in(WORD_LINE - 1)))
    return [f"=?utf-8?b?{b64encode(octets[a:b]).decode()}?=" for a, b in pairwise(cuts)]


def octets_in(columns: int) -> int:
    return (columns - WORD_FRAME) // 4 * 3


def find_character_boundary(octets: bytes, end: int) -> int:
    """Move *end* back to the start of a UTF-8 character: RFC 2047 section 5 forbids a split."""
    while end < len(octets) and octets[end] in CONTINUATION:
        end -= 1
    return min(end, len(octets))


def encode_domain(address: str) -> str:
    """Return *address* with its domain as A-labels (RFC 5890); its local part stays as it is."""
    local, _, domain = reject_controls("an address", address).rpartition("@")
    if not ONE_ADDRESS.fullmatch(address):
        raise ValueError("an address is not one plain local@domain")
    if domain.isascii():
        return address
    return f"{local}@{idna.encode(domain, uts46=True).decode()}"


@lru_cache(maxsize=64)
def format_date(moment: datetime) -> bytes:
    """Format *moment* by RFC 5322; the result has DATE_OCTETS octets up to the year 9999.

    Cached, because many mails leave in the same second.
    """
    return format_datetime(moment.astimezone(UTC)).encode("ascii")


def format_message_id(value: str, *, header: str = "Message-ID") -> bytes:
    """Return a message id in angle brackets (RFC 5322 section 3.6.4)."""
    if NOT_IN_ADDRESS.search(reject_controls(header, value)) or not value.isascii():
        raise ValueError(f"{header} is not one plain id@domain")
    return f"<{value}>".encode("ascii")
