"""The advice about a relay, for each way in which it cannot be used."""

import pytest

from gcsched.domain.relay_advice import DEFAULT_ADVICE, find_advice
from gcsched.domain.smtp_reply import Answered, Broken, Reply, Stage
from tests.domain.real_replies import ALL, RELAY

PREFIX = "GCSCHED_FALLBACK_SMTP_"
CONNECT, TLS, AUTH, RCPT, BODY = Stage.CONNECT, Stage.TLS, Stage.AUTH, Stage.RCPT, Stage.BODY


@pytest.mark.parametrize(
    ("stage", "reason", "names"),
    [
        (TLS, "TLS failed: self-signed certificate", "CA_FILE"),
        (TLS, "TLS failed: self-signed certificate in certificate chain", "CA_FILE"),
        (TLS, "TLS failed: unable to get local issuer certificate", "CA_FILE"),
        (TLS, "TLS failed: Hostname mismatch, certificate is not valid for 'a'", "HOST"),
        (TLS, "TLS failed: IP address mismatch, certificate is not valid for '::1'", "HOST"),
        (TLS, "TLS failed: certificate has expired", "clock"),
        (TLS, "TLS failed: certificate is not yet valid", "clock"),
        (TLS, "TLS failed: WRONG_VERSION_NUMBER", "SECURITY to starttls"),
        (TLS, "TLS failed: RECORD_LAYER_FAILURE", "SECURITY to starttls"),
        (TLS, "TLS failed: UNSUPPORTED_PROTOCOL", "too old"),
        (TLS, "TLS failed: TLSV1_ALERT_PROTOCOL_VERSION", "too old"),
        (TLS, "TLS failed: HANDSHAKE_FAILURE", "SECURITY"),
        (TLS, "the relay does not offer STARTTLS, and nothing is sent without it", "SECURITY"),
        (CONNECT, "the relay's name cannot be resolved: Name or service not known", "HOST"),
        (CONNECT, "the relay's name is not a host name", "HOST"),
        (CONNECT, "the connection failed: Connection refused", "PORT"),
        (CONNECT, "no address of the relay takes a connection", "PORT"),
        (CONNECT, "the connection failed: Network is unreachable", "HOST"),
        (CONNECT, "the connection failed: No route to host", "firewall"),
        (CONNECT, "the relay did not answer in time", "SECURITY to tls"),
        (AUTH, "the relay offers no AUTH mechanism that we speak", "SECURITY"),
        (AUTH, "the password cannot be read", "PASSWORD"),
        (AUTH, "there is a username but no password", "PASSWORD"),
    ],
)
def test_a_session_that_cannot_be_opened_names_the_setting(
    stage: Stage, reason: str, names: str
) -> None:
    advice = find_advice(Broken(stage, reason), prefix=PREFIX)

    assert names in advice
    assert "{P}" not in advice
    assert "GCSCHED_SMTP_" not in advice


@pytest.mark.parametrize(
    ("stage", "line", "names"),
    [
        (AUTH, "535 5.7.8 wrong password", f"correct {PREFIX}PASSWORD or its file"),
        (AUTH, "530 5.7.0 Must issue a STARTTLS command first", f"{PREFIX}SECURITY"),
        (AUTH, "538 5.7.11 Encryption required for requested mechanism", f"{PREFIX}SECURITY"),
        (Stage.MAIL, "530 5.7.0 Must issue a STARTTLS command first", f"{PREFIX}SECURITY"),
        (Stage.MAIL, "530 5.7.0 Authentication required", f"{PREFIX}USERNAME"),
        (RCPT, "550 5.7.9 no", f"{PREFIX}USERNAME"),
        (RCPT, "504 5.5.2 <a>: Helo command rejected: need a full name", "GCSCHED_SMTP_HELO_NAME"),
        (CONNECT, "501 invalid EHLO argument", "GCSCHED_SMTP_HELO_NAME"),
        (RCPT, "553 5.7.1 <a@b>: Sender address rejected: not owned", "GCSCHED_SENDER_EMAIL"),
        (BODY, "550 5.7.60 no", "GCSCHED_SENDER_EMAIL"),
        (BODY, "550 5.7.26 fails DMARC", "SPF, DKIM and DMARC"),
        (RCPT, "554 5.7.1 <a@b>: Relay access denied", f"{PREFIX}USERNAME"),
        (RCPT, "554 5.7.1 Client host [1.2.3.4] blocked using zen.spamhaus.org", "block lists"),
        (BODY, "550 5.4.5 Daily user sending limit exceeded", "GCSCHED_SMTP_RATE"),
    ],
)
def test_a_refusal_of_us_is_translated_into_advice(stage: Stage, line: str, names: str) -> None:
    reply = Reply.parse(stage, int(line[:3]), line[4:])

    assert names in find_advice(Answered(reply), prefix=PREFIX)


@pytest.mark.parametrize(
    "failure",
    [
        Answered(Reply.parse(Stage.CONNECT, 421, "4.3.2 not now")),
        Answered(Reply.parse(Stage.AUTH, 454, "4.7.0 temporary failure")),
        Broken(Stage.MAIL, "the relay closed the connection"),
        Broken(Stage.BODY, "the connection broke"),
    ],
)
def test_a_temporary_failure_gets_the_default_advice(failure: Answered | Broken) -> None:
    assert find_advice(failure, prefix=PREFIX) == DEFAULT_ADVICE


@pytest.mark.parametrize(("stage", "line", "kind"), ALL, ids=[line for _, line, _ in ALL])
def test_no_advice_repeats_the_relay(stage: Stage, line: str, kind: object) -> None:
    advice = find_advice(Answered(Reply.parse(stage, int(line[:3]), line[4:])), prefix=PREFIX)

    assert (
        advice == DEFAULT_ADVICE or kind is not RELAY or "GCSCHED_" in advice or "relay" in advice
    )
    assert "@" not in advice
