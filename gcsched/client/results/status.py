"""The state of a service. The fields have the contract's names."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """A pause of sending, which holds for all processes."""

    by: str = ""
    reason: str = ""
    start_time: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lateness:
    """How late the mails of the last five minutes were; None without mails."""

    mails: int = 0
    p50: timedelta | None = None
    p99: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Relay:
    """One relay, as the process that answers sees it; *state* is one of RelayState."""

    name: str
    is_down: bool = False
    sessions_open: int = 0
    sessions_busy: int = 0
    rate: float = 0.0
    effective_rate: float = 0.0
    state: str = "UNKNOWN"
    last_error: str = ""
    state_time: datetime | None = None
    sessions_limit: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """One store, ``mongodb`` or ``redis``; *problem* is empty if nothing is wrong with it."""

    name: str
    problem: str = ""
    state_time: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Who may call the process, and how calls reach it."""

    is_controlled: bool = False
    is_encrypted: bool = False
    is_insecure: bool = False
    clients: int = 0
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """Where mails may go: all to *redirect_to*, only to *allowed_recipients*; empty: anywhere.

    *senders* are those that requests can choose among, the default one first.
    """

    redirect_to: str = ""
    allowed_recipients: tuple[str, ...] = ()
    senders: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusReport:
    """The state of the service, as the process that answers sees it.

    *counts* has the number of jobs by state; a state that was not counted is left out.
    """

    counts: Mapping[str, int] = field(default_factory=dict, hash=False)
    count_time: datetime | None = None
    oldest_due_lateness: timedelta | None = None
    lateness: Lateness | None = None
    relays: tuple[Relay, ...] = ()
    pause: Pause | None = None
    version: str = ""
    python: str = ""
    start_time: datetime | None = None
    unreadable_jobs: int = 0
    problems: tuple[str, ...] = ()
    stores: tuple[Store, ...] = ()
    report_time: datetime | None = None
    access: Access | None = None
    sending: Sending | None = None
    zone_version: str = ""
