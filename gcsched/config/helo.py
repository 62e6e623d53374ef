"""Our name in HELO and EHLO (RFC 5321, section 4.1.1.1): the setting, or the machine's name."""

import re
import socket
from ipaddress import IPv4Address, IPv6Address

import idna

from gcsched.domain.domains import is_public_name

LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
MAX_NAME_LENGTH = 253
LITERAL = re.compile(r"\[(IPv6:)?([^\[\]]+)\]", re.IGNORECASE)


def parse_helo_name(text: str) -> str:
    """Parse a domain name or an address literal such as `[192.0.2.1]`. Raises ValueError."""
    if (literal := LITERAL.fullmatch(text)) is not None:
        if "%" in literal[2]:  # a zone, which has a meaning on this machine only
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
    """Return the machine's name if relays can look it up, such as `mail.example.org`; else None.

    It is read from the kernel: `getfqdn` asks DNS, which may be slow, or return another name.
    """
    name = socket.gethostname().rstrip(".")
    return name if is_domain_name(name) and is_public_name(name) else None
