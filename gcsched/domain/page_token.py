"""Pages of a list: how long they are, and the tokens that lead to the next one (AIP-158). Pure."""

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
    "page_token", "must be next_page_token of the page before, with the same filter and order"
)


def parse_page_size(asked: int) -> Checked[int]:
    """Read how many are wanted; 0 leaves it to us."""
    if asked < 0:
        yield Violation("page_size", f"must not be negative; 0 means {DEFAULT_PAGE_SIZE}")
        return DEFAULT_PAGE_SIZE
    return min(asked or DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE)


def encode_page_token(asked_for: str, place: Sequence[str]) -> str:
    """Make the token for what follows *place* in the list *asked_for*, as text for a URL."""
    written = json.dumps(place, ensure_ascii=False).encode()
    return urlsafe_b64encode(digest(asked_for, written) + written).decode().rstrip("=")


def parse_page_token(asked_for: str, token: str, *, parts: int) -> Checked[Sequence[str]]:
    """Read the place that *token* leads to: so many *parts*, none for the first page."""
    if not token:
        return ()
    place = decode_page_token(asked_for, token)
    if not isinstance(place, list) or [type(each) for each in place] != [str] * parts:
        yield INVALID_PAGE_TOKEN
        return ()
    return place


def decode_page_token(asked_for: str, token: str) -> object:
    """Return what *token* holds; None where it is not a token of the list *asked_for*.

    The digest finds a token of another list, or a damaged one; it keeps nobody from making one.
    """
    try:
        whole = urlsafe_b64decode(token + "=" * (-len(token) % 4))
        written = whole[DIGEST_BYTES:]
        is_ours = whole[:DIGEST_BYTES] == digest(asked_for, written)
        return json.loads(written) if is_ours else None
    except ValueError:
        return None


def digest(asked_for: str, written: bytes) -> bytes:
    return sha256(asked_for.encode() + b"\0" + written).digest()[:DIGEST_BYTES]
