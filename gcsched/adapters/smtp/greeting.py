"""How a relay introduces itself at the start of a session: its extensions and its certificate."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from gcsched.process.certificates import parse_date

MAX_EXTENSIONS = 50
MAX_NAME_LENGTH = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Greeting:
    """The names of the *extensions* that a relay offers, and when its certificate expires.

    *certificate_end* is None without TLS.
    """

    extensions: tuple[str, ...]
    certificate_end: datetime | None

    @classmethod
    def of(cls, transport: asyncio.Transport, extensions: Mapping[str, str]) -> Self:
        """Return how the relay at the other end of *transport* introduced itself."""
        names = sorted(name.upper()[:MAX_NAME_LENGTH] for name in extensions)
        certificate = transport.get_extra_info("peercert") or {}
        end = certificate.get("notAfter")
        return cls(
            extensions=tuple(names[:MAX_EXTENSIONS]),
            certificate_end=None if end is None else parse_date(end),
        )
