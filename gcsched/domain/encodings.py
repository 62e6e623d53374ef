"""Decodes a piece of a relay's reply in every encoding that it may use for a header. Pure."""

import binascii
import html
import re
import sys
from collections.abc import Iterator
from urllib.parse import unquote_plus

MAX_CHUNK_LENGTH = 1024
# RFC 2047, or the start of one
ENCODED_WORD = re.compile(r"=\?[^?\s]{1,75}\?[bq]\?", re.IGNORECASE)
HEX = re.compile(r"[%=+][0-9A-F]{2}", re.IGNORECASE)
XTEXT = re.compile(r"\+([0-9A-F]{2})", re.IGNORECASE)  # RFC 3461, section 4
ESCAPE = re.compile(r"\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8}))", re.IGNORECASE)
OCTAL = re.compile(r"\\([0-3][0-7]{2})")
QUANTUM = 4  # characters of base64 that stand for three octets
BASE64 = re.compile(r"[A-Za-z0-9+/_-]{6,}")
URL_SAFE = str.maketrans("-_", "+/")


def is_encoded_word(chunk: str) -> bool:
    return ENCODED_WORD.search(chunk) is not None


def decodings(chunk: str) -> Iterator[str]:
    """Yield the decodings of *chunk*, which holds no white space."""
    chunk = chunk[:MAX_CHUNK_LENGTH]
    if HEX.search(chunk):
        yield unquote_plus(chunk)
        # Quoted-printable, as in a body and as in an encoded word (RFC 2047, section 4.2).
        yield _text(binascii.a2b_qp(chunk.encode(), header=True))
        yield _text(XTEXT.sub(_octet, chunk).encode("latin-1", "ignore"))
    if "&" in chunk:
        yield html.unescape(chunk)
    if "\\" in chunk:
        yield ESCAPE.sub(_character, chunk)
        octets = OCTAL.sub(lambda found: chr(int(found[1], 8)), ESCAPE.sub(_character, chunk))
        yield _text(octets.encode("latin-1", "ignore"))
    if not chunk.isascii():
        yield from _repair_mojibake(chunk)
    for found in BASE64.finditer(chunk):
        yield from _from_base64(found[0])


def _repair_mojibake(chunk: str) -> Iterator[str]:
    """Yield UTF-8 text that was read in another charset, repaired."""
    for charset in ("latin-1", "cp1252"):
        yield _text(chunk.encode(charset, "ignore"))


def _from_base64(run: str) -> Iterator[str]:
    """Decode *run* from each of its first characters on: its start may be cut off or prefixed."""
    run = run.translate(URL_SAFE)
    for start in range(QUANTUM):
        whole = len(run) - (len(run) - start) % QUANTUM
        if whole - start >= QUANTUM:
            yield _text(binascii.a2b_base64(run[start:whole]))
        if (rest := len(run) - whole) > 1:  # the last octets, without their padding
            yield _text(binascii.a2b_base64(run[start:] + "=" * (QUANTUM - rest)))


def _octet(found: re.Match[str]) -> str:
    return chr(int(found[1], 16))


def _character(found: re.Match[str]) -> str:
    point = int(found[1] or found[2] or found[3], 16)
    return chr(point) if point <= sys.maxunicode else ""


def _text(octets: bytes) -> str:
    return octets.decode(errors="ignore")
