"""Options of the session pool: the relay, the timeouts, the limits."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from pathlib import Path

HOSTNAME = re.compile(r"[!-~]{1,253}")
PasswordSource = Callable[[], str | None]
"""Called at each login, so that a corrected password file counts at once."""


class Security(StrEnum):
    """How the connection to the relay is protected; never weaker than configured."""

    NONE = "none"
    STARTTLS = "starttls"
    TLS = "tls"


@dataclass(frozen=True, slots=True, kw_only=True)
class RelaySettings:
    """Where a relay is and how to log in; its certificate is always verified."""

    host: str
    port: int
    security: Security
    username: str | None = None
    password: PasswordSource | None = None
    ca_file: Path | None = None  # trusted instead of the system's authorities
    local_hostname: str | None = None  # None: our address as a literal, RFC 5321 section 4.1.4

    def __post_init__(self) -> None:
        for name in (self.host, self.local_hostname):
            if name is not None and not HOSTNAME.fullmatch(name):
                raise ValueError("a host name contains a character that no host name may have")


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long each reply may take: RFC 5321 section 4.5.3.2, where it recommends a time."""

    connect: timedelta = timedelta(seconds=30)
    greeting: timedelta = timedelta(minutes=5)  # each reply until the login is done
    mail: timedelta = timedelta(minutes=5)
    rcpt: timedelta = timedelta(minutes=5)
    data: timedelta = timedelta(minutes=2)
    body_stall: timedelta = timedelta(minutes=3)  # without progress of the body
    dot: timedelta = timedelta(minutes=10)
    quit: timedelta = timedelta(seconds=2)
    # Of a mail that is sent behind a body: how long it waits for the relay to decide about that
    # body, and then for its first reply. Some relays discard what follows a body; from the others
    # that reply comes together with the one to the body.
    following_wait: timedelta = timedelta(seconds=1)
    following_reply: timedelta = timedelta(seconds=10)
    # All of a check; longer than relays delay unknown clients.
    check: timedelta = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolLimits:
    """The most sessions there may be, and when one is replaced."""

    sessions: int = 32
    mails: int = 100
    idle: timedelta = timedelta(seconds=30)
    age: timedelta = timedelta(minutes=10)
