"""Writes the lines of a calendar file: texts, names, addresses, links and times. Pure.

No text of a caller can end a line, a parameter or a component, whatever was checked before
(docs/adr/0047).
"""

import re
from datetime import datetime
from functools import lru_cache
from urllib.parse import quote

import idna

LINE_OCTETS = 75  # RFC 5545 section 3.1, without CRLF
FOLD = b"\r\n "
CONTINUATION = range(0x80, 0xC0)  # second and later octets of a UTF-8 character
# Some readers end a line at each of these, though RFC 5545 knows only CRLF.
LINE_ENDS = re.compile("\r\n|[\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
# The controls that RFC 5545 forbids (section 3.1), their sisters above ASCII, and surrogates, which
# UTF-8 does not have.
FORBIDDEN = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
# They would reverse how a calendar shows the address beside a name.
DIRECTIONS = re.compile("[\u202a-\u202e\u2066-\u2069]")
# Readers that know RFC 6868 take these for a line break, a caret and a quotation mark.
CARET_PAIR = re.compile(r"\^(?=[n^'])")
PLAIN_LOCAL = re.compile(r"[A-Za-z0-9._~+-]+")
LOCAL_SAFE = "!$'()*+,:"  # RFC 6068 section 2, beside letters, digits and _.-~
DOMAIN_SAFE = ":"  # within an address literal
URI_SAFE = "!#$%&'()*+,/:;=?@[]"  # RFC 3986 section 2, likewise


def format_instant(moment: datetime) -> str:
    """Return *moment*, which is in UTC, as the digits of a date and a time of day."""
    day = (moment.year * 100 + moment.month) * 100 + moment.day
    clock = (moment.hour * 100 + moment.minute) * 100 + moment.second
    return f"{day:08}T{clock:06}Z"


def escape_text(text: str) -> str:
    r"""Return *text* as a TEXT value (section 3.3.11); a line end of any kind becomes ``\n``.

    Spaces around it are left out, because libical trims them while others keep them.
    """
    if not text.replace("\n", "").isprintable():  # else there is nothing to replace but \n
        text = FORBIDDEN.sub("", LINE_ENDS.sub("\n", text))
    text = text.strip(" \t").replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")
    return text.replace("\n", "\\n")


def format_cn(name: str) -> str:
    """Return *name* as a CN parameter, or "" if nothing of it can be shown.

    A quotation mark becomes an apostrophe: readers that know nothing of RFC 6868 would show ``^'``.
    A backslash becomes a slash: ical.js and icalendar take it for an escape, and before the closing
    quotation mark it would hide the address.
    """
    if not name.isprintable():
        plain = LINE_ENDS.sub(" ", name).replace("\n", " ").replace("\t", " ")
        name = DIRECTIONS.sub("", FORBIDDEN.sub("", plain))
    name = name.strip().replace('"', "'").replace("\\", "/")
    if "^" in name:
        name = CARET_PAIR.sub("^^", name)
    return f';CN="{name}"' if name else ""


def format_mailto(email: str) -> str:
    """Return the URI of *email* (RFC 6068), its domain as A-labels."""
    local, _, domain = email.rpartition("@")
    if not PLAIN_LOCAL.fullmatch(local):
        local = quote(local, safe=LOCAL_SAFE, errors="replace")
    return f"mailto:{local}@{encode_domain(domain)}"


@lru_cache(maxsize=1_000)
def encode_domain(domain: str) -> str:
    encoded = domain if domain.isascii() else idna.encode(domain, uts46=True).decode()
    return quote(encoded, safe=DOMAIN_SAFE)


def quote_url(url: str) -> str:
    """Return *url* with all characters percent-encoded that a URI cannot have."""
    return quote(url, safe=URI_SAFE, errors="replace")


def fold(line: str) -> bytes:
    """Return *line* with CRLF, in pieces of at most LINE_OCTETS, never cut inside a character."""
    octets = line.encode()
    if len(octets) <= LINE_OCTETS:
        return octets + b"\r\n"
    pieces, start, end = [], 0, LINE_OCTETS
    while end < len(octets):
        while octets[end] in CONTINUATION:
            end -= 1
        pieces.append(octets[start:end])
        start, end = end, end + LINE_OCTETS - 1  # the space of FOLD counts
    pieces.append(octets[start:])
    return FOLD.join(pieces) + b"\r\n"


def join_lines(*lines: str) -> bytes:
    return b"".join(map(fold, lines))
