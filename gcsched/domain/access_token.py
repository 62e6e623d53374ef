"""The format of tokens: make one from random octets, and parse one. Pure.

A token is `gcs_<id>_<secret><check>`: a public id of 8 characters, a secret of 32 octets in
base64url, and 6 check characters, so that a typing error is recognised, and a token that was
published by mistake is found by scanners. The service keeps the digest of the secret only.
"""

import re
import zlib
from base64 import urlsafe_b64encode
from hashlib import sha256
from typing import NamedTuple

ID_LENGTH, SECRET_OCTETS, SECRET_LENGTH, CHECK_LENGTH = 8, 32, 43, 6
RANDOM_OCTETS = 16 + SECRET_OCTETS
"""How many random octets `make_token` takes: so many for the id that no id is likelier."""

PREFIX = "gcs_"
ID_CHARACTERS = "0123456789abcdefghijklmnopqrstuvwxyz"
CHECK_CHARACTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
TOKEN_ID = re.compile(f"[a-z0-9]{{{ID_LENGTH}}}")
TOKEN = re.compile(
    f"{PREFIX}([a-z0-9]{{{ID_LENGTH}}})_([A-Za-z0-9_-]{{{SECRET_LENGTH}}})"
    f"([0-9A-Za-z]{{{CHECK_LENGTH}}})"
)


class MalformedToken(ValueError):
    """The text does not have the form of a token."""


class WrongCheck(ValueError):
    """The check characters do not fit: the token is mistyped or cut off."""


class NewToken(NamedTuple):
    """A token that was just made; *text* is what its caller sends."""

    id: str
    text: str
    digest: bytes


def make_token(random: bytes) -> NewToken:
    """Return the token of *random*, RANDOM_OCTETS that no one else knows."""
    if len(random) != RANDOM_OCTETS:
        raise ValueError(f"{len(random)} octets; give {RANDOM_OCTETS}")
    number, secret = int.from_bytes(random[:-SECRET_OCTETS]), random[-SECRET_OCTETS:]
    token_id = write_number(number, ID_CHARACTERS, ID_LENGTH)
    encoded = urlsafe_b64encode(secret).rstrip(b"=").decode()
    text = f"{PREFIX}{token_id}_{encoded}"
    return NewToken(token_id, text + find_check(text), digest_secret(encoded))


def parse_token(text: str) -> tuple[str, bytes]:
    """Return the id of a token and the digest of its secret. Raises MalformedToken, WrongCheck."""
    found = TOKEN.fullmatch(text)
    if found is None:
        raise MalformedToken
    token_id, secret, check = found.groups()
    if find_check(text[:-CHECK_LENGTH]) != check:
        raise WrongCheck
    return token_id, digest_secret(secret)


def digest_secret(encoded: str) -> bytes:
    """Return the digest that the service keeps.

    One SHA-256 is enough for 256 random bits: no one can try them out. A slow hash would cost more
    than the call itself.
    """
    return sha256(encoded.encode()).digest()


def find_check(text: str) -> str:
    """Return the check characters of *text*: its CRC-32, written with 62 digits."""
    return write_number(zlib.crc32(text.encode()), CHECK_CHARACTERS, CHECK_LENGTH)


def write_number(number: int, digits: str, length: int) -> str:
    """Return the last *length* digits of *number*, written with *digits*."""
    written = ""
    for _ in range(length):
        number, digit = divmod(number, len(digits))
        written = digits[digit] + written
    return written
