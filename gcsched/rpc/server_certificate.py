"""The certificate of the gRPC port, which can be exchanged while connections are open."""

from collections import deque
from typing import Any

import grpc

from gcsched.process.key_pairs import Authorities, KeyPair

# A connection may outlast the certificate that opened it, and be used after that was revoked.
MAX_AGE_MS = 60 * 60_000  # gRPC adds or subtracts up to a tenth, so that they do not end together
AGE_GRACE_MS = 75_000  # more than the longest call takes
AGE_OPTIONS = [
    ("grpc.max_connection_age_ms", MAX_AGE_MS),
    ("grpc.max_connection_age_grace_ms", AGE_GRACE_MS),
]


class ServerCertificate:
    """The certificate with which the server serves each new connection.

    Open connections keep the one that they began with.
    """

    def __init__(self, pair: KeyPair, authorities: Authorities | None = None) -> None:
        self._first = make_configuration(pair, authorities)
        self.asks_callers = authorities is not None
        """Whether each caller needs a certificate; an exchange never changes that."""
        # A deque, whose methods are atomic: gRPC takes from it in threads of its own.
        self._next = deque[grpc.ServerCertificateConfiguration](maxlen=1)

    def exchange(self, pair: KeyPair, authorities: Authorities | None = None) -> None:
        """Serve with *pair* and *authorities* from the next connection on."""
        self._next.append(make_configuration(pair, authorities))

    def credentials(self) -> grpc.ServerCredentials:
        """Return the credentials of a port."""
        fetch: Any = self._take_next  # None is right, but gRPC's stubs lack it
        return grpc.dynamic_ssl_server_credentials(
            self._first, fetch, require_client_authentication=self.asks_callers
        )

    def _take_next(self) -> grpc.ServerCertificateConfiguration | None:
        """Return what the last exchange has made, once; None keeps what gRPC has.

        gRPC calls this at each connection, and builds its own context of what it gets.
        """
        try:
            return self._next.popleft()
        except IndexError:
            return None


def make_configuration(
    pair: KeyPair, authorities: Authorities | None
) -> grpc.ServerCertificateConfiguration:
    roots = None if authorities is None else authorities.certificates
    return grpc.ssl_server_certificate_configuration([(pair.key, pair.chain)], roots)
