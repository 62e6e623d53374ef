"""What a certificate says, and whether clients accept it, found out by the standard library.

A certificate is tried by a handshake in memory, and the client of that handshake returns its names
and dates: the ssl module has no other public way to read those of a server's certificate.
"""

import re
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

PEM_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----")
NO_CHECK_TIME = 0x20_0000  # OpenSSL's X509_V_FLAG_NO_CHECK_TIME, which ssl.VerifyFlags lacks
MAX_ROUND_TRIPS = 4  # of a handshake; TLS 1.3 needs two
HOST_KINDS = ("DNS", "IP Address")


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """What a certificate says: the hosts that it is for, and its first and last moment."""

    hosts: tuple[str, ...]
    start: datetime
    end: datetime


def try_certificate(server: ssl.SSLContext, chain: bytes) -> Certificate:
    """Return what the first certificate of *chain*, with which *server* serves, says to a client.

    The client trusts just this certificate, at any time. Raises ssl.SSLError if it refuses it.
    """
    client_context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client_context.check_hostname = False
    flags = client_context.verify_flags | ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN | NO_CHECK_TIME
    client_context.verify_flags = ssl.VerifyFlags(flags)
    client_context.load_verify_locations(cadata=join_certificates(chain, most=1))
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(to_client, to_server)
    both = [client, server.wrap_bio(to_server, to_client, server_side=True)]
    for _ in range(MAX_ROUND_TRIPS):
        both = [each for each in both if not advance_handshake(each)]
    return parse_certificate(client.getpeercert() or {})


def advance_handshake(side: ssl.SSLObject) -> bool:
    """Return whether the handshake of this *side* is complete. Raises ssl.SSLError."""
    try:
        side.do_handshake()
    except ssl.SSLWantReadError:
        return False
    return True


def join_certificates(text: bytes, *, most: int | None = None) -> str:
    """Return the certificates in *text*, at *most* so many, without what stands between them."""
    return b"\n".join(PEM_CERTIFICATE.findall(text)[:most]).decode("ascii", errors="replace")


def parse_certificate(described: Mapping[str, Any]) -> Certificate:
    """Return the certificate that the ssl module has *described*."""
    hosts = [name for kind, name in described.get("subjectAltName", ()) if kind in HOST_KINDS]
    return Certificate(
        # Clients read the common name only if there is no other name.
        hosts=tuple(hosts or find_common_names(described)),
        start=parse_date(described["notBefore"]),
        end=parse_date(described["notAfter"]),
    )


def find_common_names(described: Mapping[str, Any]) -> Iterable[str]:
    if described.get("subjectAltName"):
        return ()
    pairs = [pair for group in described.get("subject", ()) for pair in group]
    return [value for kind, value in pairs if kind == "commonName"]


def parse_date(text: str) -> datetime:
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(text), UTC)
