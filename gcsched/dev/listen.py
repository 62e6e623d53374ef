"""The choice of another port when the usual one is taken."""

from gcsched.errors import CannotListen
from gcsched.process.listening import check_can_listen


def choose_free_address(address: str, *avoid: str) -> str:
    """Return *address*; if it is taken, or has a port of *avoid*, any free port of its host."""
    host, _, port = address.rpartition(":")
    any_port = f"{host}:0"
    # Another listener binds it later: the port still looks free.
    if port in {each.rpartition(":")[2] for each in avoid}:
        return any_port
    try:
        check_can_listen(address, "")
    except CannotListen:
        return any_port
    return address
