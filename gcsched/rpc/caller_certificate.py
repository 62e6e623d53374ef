"""The identities in the client certificate of a call."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

from gcsched.rpc.call import Context

OTHER_KINDS = ("spiffe:", "dns:", "cn:")
"""How a URI must not begin: it could pass for an identity of another kind."""


def certificate_identities(context: Context) -> tuple[str, ...]:
    """Return the identities of the caller's certificate, which gRPC has verified.

    They are written as in the clients file: `spiffe://…`, `dns:…`, `cn:…`, and other URIs as they
    are. gRPC's `peer_identities()` does not say which of its names are of which kind.
    """
    properties = cast("Mapping[str, Iterable[bytes]]", cast("Any", context).auth_context())
    return tuple(dict.fromkeys(read_identities(properties)))


def read_identities(properties: Mapping[str, Iterable[bytes]]) -> Iterator[str]:
    # gRPC knows a SPIFFE id only if it is valid and the certificate's only URI, as SPIFFE demands.
    yield from decode(properties.get("peer_spiffe_id", ()))
    for uri in decode(properties.get("peer_uri", ())):
        if not uri.lower().startswith(OTHER_KINDS):
            yield uri
    for name in decode(properties.get("peer_dns", ())):
        yield f"dns:{name.lower()}"
    for name in decode(properties.get("x509_common_name", ())):
        yield f"cn:{name}"


def decode(octets: Iterable[bytes]) -> list[str]:
    """Return the texts that are not empty; a certificate without a common name has an empty one."""
    return [each.decode(errors="backslashreplace") for each in octets if each]
