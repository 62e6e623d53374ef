"""How we name ourselves to a relay (RFC 5321, section 4.1.1.1): what was said, or the machine."""

import re
import socket
from ipaddress import IPv4Address, IPv6Address

import idna

from gcsched.domain.domains import is_public_name

LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
MAX_NAME_LENGTH = 253
LITERAL = re.compile(r"\[(IPv6:)?([^\[\]]+)\]", re.IGNORECASE)


def parse_helo_name(text: str) -> str:
    """Return *text*, a domain name or an address literal as `[192.0.2.1]`; or raise ValueError."""
    if (literal := LITERAL.fullmatch(text)) is not None:
        if "%" in literal[2]:  # it names an interface of this machine
            raise ValueError
        address = IPv6Address(literal[2]) if literal[1] else IPv4Address(literal[2])
        return f"[IPv6:{address}]" if literal[1] else f"[{address}]"
    name = text if text.isascii() else idna.encode(text, uts46=True).decode()
    if not is_domain_name(name):
        raise ValueError
    return name


def is_domain_name(name: str) -> bool:
    *_, last = labels = name.split(".")
    is_spelled = all(LABEL.fullmatch(label) for label in labels)
    return is_spelled and len(name) <= MAX_NAME_LENGTH and not last.isdigit()


def find_machine_name() -> str | None:
    """Return the machine's name where relays can look it up, as `mail.example.org`; else None.

    Only the kernel is asked: `getfqdn` asks DNS, which may take its time, or answer otherwise.
    """
    name = socket.gethostname().rstrip(".")
    return name if is_domain_name(name) and is_public_name(name) else None
