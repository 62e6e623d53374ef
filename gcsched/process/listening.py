"""Check whether the service can listen on an address, and explain why it cannot."""

import errno
import socket
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from gcsched.errors import CannotListen

FIRST_UNPRIVILEGED_PORT = 1024
IN_USE = "another program listens there; stop it or set {setting} to another address"
PROBLEMS: Mapping[int, str] = {
    errno.EADDRINUSE: IN_USE,
    errno.EADDRNOTAVAIL: "this machine does not have this address; set {setting} to one that it"
    " has, such as 127.0.0.1:{port}, or to 0.0.0.0:{port} for all of them",
    errno.EACCES: "the system does not allow it for this user; set {setting} to another address",
}
LOW_PORT = (
    "a port below 1024 needs a privilege that this process lacks;"
    " set {setting} to a port from 1024 on"
)
UNKNOWN = (
    "its host name is not known; set {setting} to an address of this machine, such as"
    " 127.0.0.1:{port}"
)


def check_can_listen(address: str, setting: str, *, is_shared: bool = False) -> None:
    """Raise CannotListen, naming *setting*, if *address* cannot be bound now.

    *is_shared*: other processes that share the port may listen there. gRPC checks this as well, but
    logs lines of its own, and succeeds if one of several addresses of a name is free.
    """
    place = urlsplit(f"//{address}")
    try:
        found = socket.getaddrinfo(
            place.hostname, place.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except (OSError, UnicodeError) as error:
        raise make_listen_error(error, address, setting) from error
    results = [try_bind(each, is_shared=is_shared) for each in found]
    failures = [each for each in results if each is not None]
    taken = [each for each in failures if each.errno == errno.EADDRINUSE]
    # A machine without IPv6 still listens on the IPv4 address of a name that has both.
    if taken or len(failures) == len(found):
        first = [*taken, *failures][0]
        raise make_listen_error(first, address, setting) from first


def try_bind(found: tuple[Any, ...], *, is_shared: bool) -> OSError | None:
    """Bind to one address and release it; return the error, or None."""
    family, kind, protocol, _, where = found
    try:
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if is_shared:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            probe.bind(where)
    except OSError as error:
        return error
    return None


def make_listen_error(error: OSError | UnicodeError, address: str, setting: str) -> CannotListen:
    """Return the error that explains *error* to the operator who chose *address*."""
    port = address.rpartition(":")[2]
    if isinstance(error, socket.gaierror | UnicodeError):
        problem = UNKNOWN
    elif error.errno == errno.EACCES and int(port) < FIRST_UNPRIVILEGED_PORT:
        problem = LOW_PORT
    else:
        other = f"{error.strerror or error}; set {{setting}} to another address"
        problem = PROBLEMS.get(error.errno or 0, other)
    return CannotListen(address, problem.format(setting=setting, port=port))
