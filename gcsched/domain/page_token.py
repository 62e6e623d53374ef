"""Pages of a list: their size, and the tokens of the next ones (AIP-158). Pure."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from hashlib import sha256

from gcsched.domain.checks import Checked
from gcsched.errors import Violation

DEFAULT_PAGE_SIZE = 50
MAX_PAGE_SIZE = 200  # with all texts, some 30 ms of the event loop
DIGEST_BYTES = 9
INVALID_PAGE_TOKEN = Violation(
    "page_token", "must be the next_page_token of the previous page, with the same filter and order"
)


def parse_page_size(requested: int) -> Checked[int]:
    """Return the size of a page, MAX_PAGE_SIZE at most; 0 means DEFAULT_PAGE_SIZE."""
    if requested < 0:
        yield Violation("page_size", f"must not be negative; 0 means {DEFAULT_PAGE_SIZE}")
        return DEFAULT_PAGE_SIZE
    return min(requested or DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE)


def encode_page_token(query: str, place: Sequence[str]) -> str:
    """Return the token, safe in a URL, of the page after *place* in the list of *query*."""
    written = json.dumps(place, ensure_ascii=False).encode()
    return urlsafe_b64encode(digest(query, written) + written).decode().rstrip("=")


def parse_page_token(query: str, token: str, *, parts: int) -> Checked[Sequence[str]]:
    """Return the place in *token*, of as many texts as *parts* says; () for the first page."""
    if not token:
        return ()
    place = decode_page_token(query, token)
    if not isinstance(place, list) or [type(each) for each in place] != [str] * parts:
        yield INVALID_PAGE_TOKEN
        return ()
    return place


def decode_page_token(query: str, token: str) -> object:
    """Return the content of *token*; None if it is not a token of the list of *query*.

    The digest detects a token of another list and a damaged one. It has no key: a caller can make
    tokens, which lead only to jobs that they can list anyway.
    """
    try:
        whole = urlsafe_b64decode(token + "=" * (-len(token) % 4))
        written = whole[DIGEST_BYTES:]
        is_valid = whole[:DIGEST_BYTES] == digest(query, written)
        return json.loads(written) if is_valid else None
    except ValueError:
        return None


def digest(query: str, written: bytes) -> bytes:
    return sha256(query.encode() + b"\0" + written).digest()[:DIGEST_BYTES]
