"""The key that makes the same notification asked for again the same job. Pure."""

from datetime import date
from hashlib import sha256

from gcsched.domain.request import MeetRequest


def dedup_key(request: MeetRequest, *, daily: date | None) -> str:
    """Derive the key from employee, address, text, and the second or the daily run asked for.

    Never change what goes in here: a changed key makes a repeated call a second mail.
    """
    when = str(request.timestamp) if daily is None else f"daily:{daily.isoformat()}"
    digest = sha256(b"v1")
    for part in (request.empid, request.email, request.message, when):
        data = part.encode()
        digest.update(len(data).to_bytes(4, "big") + data)
    return digest.hexdigest()
