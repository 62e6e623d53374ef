"""Advice for an operator about a relay that cannot be used. Pure: a table."""

import re
from dataclasses import dataclass

from gcsched.domain import smtp_reply_words as phrases
from gcsched.domain.smtp_reply import PERMANENT, Answered, Broken, Stage

ANYWHERE = frozenset(Stage)
CONNECT, TLS, AUTH = (frozenset({stage}) for stage in (Stage.CONNECT, Stage.TLS, Stage.AUTH))
CONVERSATION = frozenset({Stage.MAIL, Stage.RCPT, Stage.DATA, Stage.BODY})
DEFAULT_ADVICE = "mails are held back from it and it is probed"
HELD_ADVICE = (
    "it refused the mails to five recipients of different domains in a row, so the cause is the"
    " relay or our sender, not the recipients: read the error; mails wait, and one at a time, each"
    " to another domain, probes it"
)


@dataclass(frozen=True, slots=True)
class AdviceRow:
    """The advice for a *failure* at one of the stages; ``{P}`` is the prefix of the settings.

    *words* are searched for in the reply, or in our own description of a broken session.
    """

    advice: str
    stages: frozenset[Stage] = ANYWHERE
    failure: type[Answered] | type[Broken] | tuple[type[Answered], type[Broken]] = (
        Answered,
        Broken,
    )
    words: re.Pattern[str] | None = None
    is_permanent: bool = False


OWN_AUTHORITY = "name the file of the relay's authority in {P}CA_FILE"
OUR_NAME = "set GCSCHED_SMTP_HELO_NAME to a full name that DNS knows"
OUR_SENDER = (
    "correct GCSCHED_SENDER_EMAIL or GCSCHED_SENDERS, or let the relay accept this sender from us"
)
LOG_IN = "set {P}USERNAME and {P}PASSWORD"
ALLOW_US = "let the relay accept mails from this machine, or log in: " + LOG_IN
ENCRYPT = "set {P}SECURITY to starttls or tls"

# The first row that matches decides. Our own descriptions are in adapters/smtp/connect.py.
TABLE = (
    # The certificate, the protocol, the port.
    AdviceRow(
        f"the relay's certificate is self-signed or of an unknown authority: {OWN_AUTHORITY}",
        TLS | CONNECT,
        Broken,
        phrases.compile_phrases("self[- ]signed", "local issuer", "unable to verify", "unknown ca"),
    ),
    AdviceRow(
        "the relay's certificate is for another name: correct {P}HOST or the certificate",
        TLS | CONNECT,
        Broken,
        phrases.compile_phrases("hostname mismatch", "ip address mismatch", "not valid for"),
    ),
    AdviceRow(
        "the relay's certificate is not valid today: renew it, or correct this machine's clock",
        TLS | CONNECT,
        Broken,
        phrases.compile_phrases("has expired", "not yet valid"),
    ),
    AdviceRow(
        "the relay's TLS is too old: gcsched needs TLS 1.2 or newer; upgrade the relay",
        TLS | CONNECT,
        Broken,
        phrases.compile_phrases(
            "unsupported.protocol", "protocol.version", "no.protocols.available"
        ),
    ),
    AdviceRow(
        "the relay does not speak TLS on this port: set {P}SECURITY to starttls, or correct"
        " {P}PORT (465 is for tls, 587 for starttls)",
        TLS | CONNECT,
        Broken,
        phrases.compile_phrases(
            "wrong.version.number", "record.layer.failure", "packet length too long"
        ),
    ),
    AdviceRow(
        "the relay offers no STARTTLS: set {P}SECURITY to tls if the port is for TLS (465), or"
        " correct {P}PORT",
        TLS,
        Broken,
        phrases.compile_phrases("does not offer starttls"),
    ),
    AdviceRow("check {P}SECURITY and {P}CA_FILE: the TLS handshake failed", TLS, Broken),
    # The network.
    AdviceRow(
        "correct {P}HOST, or this machine's DNS",
        CONNECT,
        Broken,
        phrases.compile_phrases("cannot be resolved", "is (?:no|not a) host name"),
    ),
    AdviceRow(
        "nothing listens at that address: correct {P}HOST and {P}PORT, or start the relay",
        CONNECT,
        Broken,
        phrases.compile_phrases(
            "connection refused", "(?:takes|accepts) a connection", "reset by peer"
        ),
    ),
    AdviceRow(
        "the network has no route to it: correct {P}HOST, or a firewall's rules",
        CONNECT,
        Broken,
        phrases.compile_phrases("unreachable", "no route"),
    ),
    AdviceRow(
        "it does not answer: correct {P}HOST and {P}PORT, set {P}SECURITY to tls if the"
        " port is for TLS (465), or open the firewall",
        CONNECT,
        Broken,
        phrases.compile_phrases("did not answer in time", "timed out", "no answer within"),
    ),
    # The login.
    AdviceRow(
        "the relay offers no login mechanism that gcsched supports: set {P}SECURITY to starttls or"
        " tls, which many relays require for a login, or unset {P}USERNAME",
        AUTH,
        Broken,
        phrases.compile_phrases("offers no auth mechanism"),
    ),
    AdviceRow(
        "correct {P}PASSWORD or its file",
        AUTH,
        Broken,
        phrases.compile_phrases("password"),
    ),
    AdviceRow(
        f"the relay requires an encrypted session: {ENCRYPT}",
        words=phrases.ENCRYPTION,
        failure=Answered,
    ),
    AdviceRow(
        "the relay refuses the login: correct {P}PASSWORD or its file",
        AUTH,
        Answered,
        is_permanent=True,
    ),
    # Refusals of us, at any stage.
    AdviceRow(f"the relay refuses our name: {OUR_NAME}", words=phrases.HELO, failure=Answered),
    AdviceRow(
        f"the relay refuses our name: {OUR_NAME}",
        CONNECT,
        Answered,
        phrases.compile_phrases(r"host ?name|fully[- ]qualified|domain name|literal"),
    ),
    AdviceRow(f"the relay requires a login: {LOG_IN}", words=phrases.LOGIN, failure=Answered),
    AdviceRow(
        f"the relay does not relay for us: {ALLOW_US}", words=phrases.RELAYING, failure=Answered
    ),
    AdviceRow(
        "the sender's domain does not authorize our mails: correct its SPF, DKIM and DMARC"
        " records, or GCSCHED_SENDER_EMAIL",
        words=phrases.PROOF,
        failure=Answered,
    ),
    AdviceRow(
        f"the relay refuses our sender: {OUR_SENDER}", words=phrases.SENDER, failure=Answered
    ),
    AdviceRow(
        "the relay refuses this machine: check its address, its name in DNS and block lists",
        words=phrases.CLIENT,
        failure=Answered,
    ),
    AdviceRow(
        "the relay accepts no more mails for now: raise the quota there, or set GCSCHED_SMTP_RATE",
        words=phrases.QUOTA,
        failure=Answered,
    ),
)
ADVICE_BY_CODE = (
    (r"[45]\.1\.[078]|5\.7\.(60|501|511)", f"the relay refuses our sender: {OUR_SENDER}"),
    (r"5\.7\.1[01]", f"the relay requires an encrypted session: {ENCRYPT}"),
    (r"5\.7\.([03]|8|9|1[234]|57)", f"the relay requires a login: {LOG_IN}"),
    (r"5\.7\.(54|64)", f"the relay does not relay for us: {ALLOW_US}"),
    (r"5\.7\.506", f"the relay refuses our name: {OUR_NAME}"),
)


def find_advice(failure: Answered | Broken, *, prefix: str) -> str:
    """Return what to do about *failure*; *prefix* is that of the relay's settings."""
    text, code = read_text_and_code(failure)
    for row in TABLE:
        if (
            isinstance(failure, row.failure)
            and stage_of(failure) in row.stages
            and (row.words is None or row.words.search(text))
            and (not row.is_permanent or code in PERMANENT)
        ):
            return row.advice.replace("{P}", prefix)
    return find_code_advice(failure, prefix) or DEFAULT_ADVICE


def find_code_advice(failure: Answered | Broken, prefix: str) -> str | None:
    if not isinstance(failure, Answered) or failure.reply.stage not in CONVERSATION:
        return None
    enhanced = failure.reply.enhanced_code or ""
    found = next((text for codes, text in ADVICE_BY_CODE if re.fullmatch(codes, enhanced)), None)
    return found and found.replace("{P}", prefix)


def read_text_and_code(failure: Answered | Broken) -> tuple[str, int]:
    if isinstance(failure, Answered):
        return phrases.strip_addresses(failure.reply.text), failure.reply.code
    return failure.reason, 0


def stage_of(failure: Answered | Broken) -> Stage:
    return failure.reply.stage if isinstance(failure, Answered) else failure.stage
