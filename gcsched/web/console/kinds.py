"""The outcomes of attempts in plain words. Pure."""

from collections.abc import Mapping

from gcsched.domain.smtp_reply import Kind

KIND_WORDS: Mapping[Kind, str] = {
    Kind.ACCEPTED: "taken",
    Kind.DEFERRED: "put off by the relay",
    Kind.RECIPIENT: "the address does not exist",
    Kind.CONTENT: "refused for its content",
    Kind.POLICY: "refused by a rule",
    Kind.RELAY: "trouble with the relay",
    Kind.UNCERTAIN: "the reply was lost",
}
