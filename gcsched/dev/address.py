"""Find out before anything is started whether we can listen somewhere."""

import socket
from urllib.parse import urlsplit

from gcsched.errors import AddressInUse


def free_or_any(address: str, *, beside: str) -> str:
    """Give *address*, or any free port of its host when it is taken or will be by *beside*."""
    host, _, port = address.rpartition(":")
    any_port = f"{host}:0"
    if port == beside.rpartition(":")[2]:
        return any_port
    try:
        refuse_taken(address, "")
    except AddressInUse:
        return any_port
    return address


def refuse_taken(address: str, option: str) -> None:
    """Raise AddressInUse, naming *option*, when nobody could listen on *address* now.

    gRPC finds it out as well, but late, and with a line of its own on stderr.
    """
    parts = urlsplit(f"//{address}")
    try:
        found = socket.getaddrinfo(
            parts.hostname, parts.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        for family, kind, protocol, _, where in found:
            with socket.socket(family, kind, protocol) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(where)
    except OSError as error:
        raise AddressInUse(address, option) from error
