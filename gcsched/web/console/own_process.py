"""What this process knows of itself: its name, its lag, its repairs, and what expires soon."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol


class RelayGreeting(Protocol):
    """How a relay introduced itself at the start of the latest session."""

    @property
    def extensions(self) -> tuple[str, ...]: ...
    @property
    def certificate_end(self) -> datetime | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Expiry:
    """A certificate or a token, *what* says which, that expires at *end*; *remedy* says what helps.

    *path* is the page that shows it; "" if none does.
    """

    what: str
    end: datetime
    remedy: str
    path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnProcess:
    """The process that serves the console. *name* is that of its machine, with its number.

    *repairs* are those of the last hour by reason, *loop_lag* is the most of the last minute in
    seconds, *clock_offset* how far MongoDB's clock is ahead of this machine's, and
    *redis_clock_offset* how far Redis's is ahead of MongoDB's; 0 if that does not matter.
    *find_greeting* returns the last greeting of the relay of that name.
    """

    name: str
    claimed_jobs: Callable[[], int]
    loop_lag: Callable[[], float]
    repairs: Callable[[], Mapping[str, int]]
    clock_offset: Callable[[], timedelta]
    redis_clock_offset: Callable[[], timedelta]
    expiries: Callable[[], Iterable[Expiry]]
    find_greeting: Callable[[str], RelayGreeting | None]
