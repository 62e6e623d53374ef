"""What the history counts, in plain words and in colours. Pure."""

from collections.abc import Mapping

from gcsched.domain.smtp_reply import Kind
from gcsched.web.console.kinds import KIND_WORDS

OTHER = "cancelled"
"""The colour of what a newer version counts."""

KIND_COLOURS: Mapping[str, str] = {
    Kind.ACCEPTED: "sent",
    Kind.DEFERRED: "retrying",
    Kind.RECIPIENT: "suppressed",
    Kind.CONTENT: "expired",
    Kind.POLICY: "failed",
    Kind.RELAY: "waiting",
    Kind.UNCERTAIN: "uncertain",
}
ADMISSION_COLOURS: Mapping[str, str] = {
    "created": "waiting",
    "replayed": "sending",
    "refused": "suppressed",
    "invalid": "expired",
    "limited": "retrying",
    "overloaded": "failed",
    "unavailable": "uncertain",
    "stopping": "sent",
    "cancelled": "cancelled",
}
ADMISSION_WORDS: Mapping[str, str] = {
    "created": "accepted",
    "replayed": "the same again",
    "refused": "too soon, or an id used twice",
    "invalid": "with mistakes",
    "limited": "beyond a limit of the client",
    "overloaded": "too many at once",
    "unavailable": "a store was away",
    "stopping": "at the end of a process",
    "cancelled": "given up by the caller",
}
WORDS = {**{kind.value: words for kind, words in KIND_WORDS.items()}, **ADMISSION_WORDS}
