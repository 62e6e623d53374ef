"""Find out whether an address can be listened on, and say in a sentence why it cannot."""

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
    errno.EADDRNOTAVAIL: "this machine has no such address; set {setting} to one that it has, such"
    " as 127.0.0.1:{port}, or to 0.0.0.0:{port} for all of them",
    errno.EACCES: "the system does not allow it to this user; set {setting} to another address",
}
LOW_PORT = (
    "a port below 1024 needs a right that this process lacks; set {setting} to a port from 1024 on"
)
UNKNOWN = (
    "its host name is not known; set {setting} to an address of this machine, such as"
    " 127.0.0.1:{port}"
)


def check_can_listen(address: str, setting: str, *, is_shared: bool = False) -> None:
    """Raise CannotListen, naming *setting*, when nothing can listen on *address* now.

    *is_shared*: others may listen there that share the port as well. gRPC finds all this out too,
    but with lines of its own, and is content when one of several addresses of a name is free.
    """
    place = urlsplit(f"//{address}")
    try:
        found = socket.getaddrinfo(
            place.hostname, place.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except (OSError, UnicodeError) as error:
        raise make_listen_error(error, address, setting) from error
    tried = [try_bind(each, is_shared=is_shared) for each in found]
    failures = [each for each in tried if each is not None]
    taken = [each for each in failures if each.errno == errno.EADDRINUSE]
    # Where a name has an IPv6 address too, a machine without IPv6 listens on the other one.
    if taken or len(failures) == len(found):
        first = [*taken, *failures][0]
        raise make_listen_error(first, address, setting) from first


def try_bind(found: tuple[Any, ...], *, is_shared: bool) -> OSError | None:
    """Bind to one address and let it go; return why that failed."""
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
    """Make the error that says what *error* means to the operator who chose *address*."""
    port = address.rpartition(":")[2]
    if isinstance(error, socket.gaierror | UnicodeError):
        problem = UNKNOWN
    elif error.errno == errno.EACCES and int(port) < FIRST_UNPRIVILEGED_PORT:
        problem = LOW_PORT
    else:
        other = f"{error.strerror or error}; set {{setting}} to another address"
        problem = PROBLEMS.get(error.errno or 0, other)
    return CannotListen(address, problem.format(setting=setting, port=port))
