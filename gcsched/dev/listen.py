"""Choose where to listen when the usual place is taken."""

from gcsched.errors import CannotListen
from gcsched.process.listening import refuse_taken


def free_or_any(address: str, *, beside: str) -> str:
    """Give *address*, or any free port of its host when it is taken or will be by *beside*."""
    host, _, port = address.rpartition(":")
    any_port = f"{host}:0"
    if port == beside.rpartition(":")[2]:
        return any_port
    try:
        refuse_taken(address, "")
    except CannotListen:
        return any_port
    return address
