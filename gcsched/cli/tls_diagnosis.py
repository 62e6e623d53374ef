"""Why a call failed if TLS is the reason: ask the server once more, by the standard library.

gRPC says no more than "Socket closed" where a server expects TLS or a client certificate.
"""

import re
import socket
import ssl
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from gcsched.domain.caller_text import replace_unprintable
from gcsched.process.certificates import parse_certificate
from gcsched.proxies import parse_target

if TYPE_CHECKING:
    from gcsched.client import CallFailed, Tls

NO_CONNECTION = re.compile("DNS|timed out|timeout|unreachable|no route", re.IGNORECASE)
"""Words of gRPC's errors for a server that another attempt would not reach either."""
WRONG_NAME = {62, 64}  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH
TIMEOUT_SECONDS = 1.0
CERTIFICATE_MISSING = (
    "requires a client certificate: use --tls-cert-file FILE and --tls-key-file FILE"
)
CERTIFICATE_REFUSED = (
    "refuses this client certificate: it must be of an authority that the server knows, and not"
    " expired"
)
ALERTS = {
    "CERTIFICATE_REQUIRED": CERTIFICATE_MISSING,
    "HANDSHAKE_FAILURE": CERTIFICATE_MISSING,
    "UNKNOWN_CA": CERTIFICATE_REFUSED,
    "CERTIFICATE_EXPIRED": CERTIFICATE_REFUSED,
    "BAD_CERTIFICATE": CERTIFICATE_REFUSED,
    "CERTIFICATE_UNKNOWN": CERTIFICATE_REFUSED,
    "UNSUPPORTED_CERTIFICATE": CERTIFICATE_REFUSED,
}
"""What a server means by an alert (RFC 8446 section 6.2), by the end of OpenSSL's name for it."""
VERIFY_PROBLEMS = {
    9: "is not valid yet: check the clocks of both machines",
    10: "has expired: renew it at the server",
}
"""What is wrong with a certificate, by OpenSSL's number (X509_V_ERR_…)."""
EXPECTS_TLS = "expects TLS: use --tls-ca-file FILE, or --tls"
UNKNOWN_AUTHORITY = "is of an unknown authority: give the file of its authority with --tls-ca-file"


def diagnose(error: "CallFailed", target: str, tls: "Tls | None") -> str | None:
    """Return in a sentence what is wrong with TLS between us and *target*; None if nothing is."""
    if error.code != "UNAVAILABLE" or error.reason or NO_CONNECTION.search(str(error)):
        return None
    for host, port in parse_target(target):
        with suppress(OSError, ValueError):
            found = ask_server(host, int(port), tls)
            return None if found is None else replace_unprintable(f"{target} {found}.")
    return None


def ask_server(host: str, port: int, tls: "Tls | None") -> str | None:
    """Return the problem that a handshake with the server shows. Raises OSError, ValueError."""
    context, name = build_context(tls), (tls.server_name if tls is not None else "") or host
    with socket.create_connection((host, port), TIMEOUT_SECONDS) as plain:
        try:
            with context.wrap_socket(plain, server_hostname=name) as secured:
                return EXPECTS_TLS if tls is None else wait_for_refusal(secured, tls)
        except ssl.SSLCertVerificationError as error:
            if error.verify_code not in WRONG_NAME:
                problem = VERIFY_PROBLEMS.get(error.verify_code, UNKNOWN_AUTHORITY)
                return f"has a certificate that {problem}"
        except ssl.SSLError as error:
            alert = find_alert(error)
            return does_not_speak(tls) if alert is None else EXPECTS_TLS if tls is None else alert
        except (ConnectionError, TimeoutError):
            return does_not_speak(tls)
    return describe_names(host, port, context)


def does_not_speak(tls: "Tls | None") -> str | None:
    without = "leave out --tls and --tls-ca-file, and unset GCSCHED_TLS and GCSCHED_TLS_CA_FILE"
    return None if tls is None else f"does not speak TLS: {without}, or name another address"


def wait_for_refusal(secured: ssl.SSLSocket, tls: "Tls") -> str | None:
    """Return the refusal of our certificate, which follows the handshake in TLS 1.3."""
    try:
        if secured.recv(1):  # the server of HTTP/2 writes first
            return None
    except ssl.SSLError as error:
        return find_alert(error)
    # gRPC's server closes the connection without an alert.
    return CERTIFICATE_MISSING if tls.cert_file is None else CERTIFICATE_REFUSED


def find_alert(error: ssl.SSLError) -> str | None:
    reason = error.reason or ""
    return next((text for name, text in ALERTS.items() if reason.endswith(f"ALERT_{name}")), None)


def describe_names(host: str, port: int, context: ssl.SSLContext) -> str:
    """Return what names the server's certificate has. Raises OSError."""
    context.check_hostname = False
    with (
        socket.create_connection((host, port), TIMEOUT_SECONDS) as plain,
        context.wrap_socket(plain, server_hostname=host) as secured,
    ):
        hosts = parse_certificate(secured.getpeercert() or {}).hosts
    names = ", ".join(hosts) or "no host at all"
    return f"has a certificate for other names: {names}. Call the server by one of them"


def build_context(tls: "Tls | None") -> ssl.SSLContext:
    """Return a context that trusts what *tls* does; without *tls* it trusts anyone.

    Raises OSError.
    """
    file = None if tls is None else tls.ca_file
    context = ssl.create_default_context(cafile=None if file is None else Path(file))
    context.set_alpn_protocols(["h2"])
    context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN  # as gRPC does
    if tls is None:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    elif tls.cert_file is not None:
        context.load_cert_chain(tls.cert_file, tls.key_file, password="")
    return context
