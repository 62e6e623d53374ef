"""Links to web pages: http and https URLs (RFC 3986), in ASCII. Pure."""

import re
from urllib.parse import quote, urlsplit

import idna

from gcsched.domain.checks import Checked
from gcsched.errors import Violation

MAX_LENGTH = 2_000
SCHEMES = ("http", "https")
KEPT = "%/:?#[]@!$&'()*+,;=-._~"  # every character that RFC 3986 has a use for
HOST = re.compile(r"[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]")
FORM = "must be a link like https://meet.example.org/j/42"


def parse_link(text: str, field: str) -> Checked[str]:
    """Parse a link; return it in ASCII: the host as A-labels, other characters percent-encoded."""
    if len(text) > MAX_LENGTH:
        yield Violation(field, f"must have at most {MAX_LENGTH} characters, has {len(text)}")
        return ""
    if not text.isprintable() or " " in text or '"' in text or "<" in text or ">" in text:
        yield Violation(field, f"{FORM}, without spaces, quotes and angle brackets")
        return ""
    try:
        link = encode_link(text)
    except (ValueError, UnicodeError):
        yield Violation(field, FORM)
        return ""
    if len(link) > MAX_LENGTH:
        problem = f"must have at most {MAX_LENGTH} characters in ASCII, has {len(link)}"
        yield Violation(field, problem)
    return link


def encode_link(text: str) -> str:
    """Return *text* in ASCII. Raises ValueError unless it is an http or https URL."""
    parts = urlsplit(text)
    if parts.scheme.lower() not in SCHEMES or "@" in parts.netloc:
        raise ValueError(text)
    host, colon, port = split_port(parts.netloc)
    if not host.isascii():
        host = idna.encode(host, uts46=True).decode()
    if not HOST.fullmatch(host) or (colon and not 0 < int(port) < 2**16):
        raise ValueError(text)
    rest = text.partition("://")[2].removeprefix(parts.netloc)
    return f"{parts.scheme.lower()}://{host}{colon}{port}{quote(rest, safe=KEPT)}"


def split_port(netloc: str) -> tuple[str, str, str]:
    """Split host, colon and port; the last two are "" if there is no port."""
    host, colon, port = netloc.rpartition(":")
    if not colon or port.endswith("]"):
        return netloc, "", ""
    if not port.isascii() or not port.isdecimal():
        raise ValueError(netloc)
    return host, colon, port
