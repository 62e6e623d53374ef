"""Choose where to listen when the usual place is taken."""

from gcsched.errors import CannotListen
from gcsched.process.listening import check_can_listen


def choose_free_address(address: str, *, avoid: str) -> str:
    """Give *address*, or any free port of its host when it is taken or will be by *avoid*."""
    host, _, port = address.rpartition(":")
    any_port = f"{host}:0"
    if port == avoid.rpartition(":")[2]:
        return any_port
    try:
        check_can_listen(address, "")
    except CannotListen:
        return any_port
    return address
