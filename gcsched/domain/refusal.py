"""Why a caller is refused before its call is read. Pure."""

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple


class RefusalReason(StrEnum):
    """A reason; the values are labels of a metric."""

    MISSING = "missing"
    SEVERAL = "several"
    MALFORMED = "malformed"
    WRONG_CHECK = "wrong_check"
    UNKNOWN = "unknown"
    EXPIRED = "expired"
    REVOKED = "revoked"
    CERTIFICATE = "certificate"
    MISMATCH = "mismatch"
    SCOPE = "scope"


class Refusal(NamedTuple):
    """A refused call: why, and for the log the client and the token id, as far as known."""

    reason: RefusalReason
    client: str = ""
    token: str = ""


NOT_VALID = "the token is unknown, expired or revoked"  # which of them is for the log only
PROBLEMS: Mapping[RefusalReason, str] = {
    RefusalReason.MISSING: "the call has no token",
    RefusalReason.SEVERAL: "the call has more than one `authorization` value",
    RefusalReason.MALFORMED: "the `authorization` value is not `Bearer` and a token of this service"
    " (gcs_…)",
    RefusalReason.WRONG_CHECK: "the token is mistyped or cut off: its check characters do not fit",
    RefusalReason.UNKNOWN: NOT_VALID,
    RefusalReason.EXPIRED: NOT_VALID,
    RefusalReason.REVOKED: NOT_VALID,
    RefusalReason.CERTIFICATE: "the client certificate names none of the clients, or several",
    RefusalReason.MISMATCH: "the token and the client certificate do not name the same client",
}
"""What a caller reads; SCOPE is absent, because ScopeMissing has its own sentence."""
