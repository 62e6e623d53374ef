"""How things are, as this process knows it; it waits for no store longer than a moment."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from gcsched.domain.pause import Pause
from gcsched.domain.relay_health import HealthReport
from gcsched.usecases.monitoring.job_counts import Census
from gcsched.usecases.monitoring.lateness import Figures, Lateness
from gcsched.usecases.monitoring.store_health import StoreHealth, StoreReport
from gcsched.usecases.ports import Clock, JobCounts, RelayInUse, Sessions


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayReport:
    """Mails per second: what the operator allows, and what is made of it; 0: no limit."""

    name: str
    is_down: bool
    sessions_open: int
    sessions_busy: int
    rate: float
    effective_rate: float
    health: HealthReport = field(default_factory=HealthReport)


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What runs, and since when."""

    version: str
    python: str
    start_time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """*counts* were made at *counted*; None: unknown, because MongoDB is away.

    The report itself was made at *report_time*.
    """

    counts: JobCounts | None
    count_time: datetime | None
    lateness: Figures
    relays: Sequence[RelayReport]
    pause: Pause | None
    about: About
    report_time: datetime
    problems: Sequence[str] = ()
    stores: Sequence[StoreReport] = ()


def not_paused() -> None:
    """Be the *pause* of a service that nobody can pause."""


def nothing_heard(_: str) -> HealthReport:
    """Be the *health* of relays that nobody keeps in mind."""
    return HealthReport()


def no_problems() -> Sequence[str]:
    """Be the *problems* of a service whose stores are not looked after."""
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """*pause* tells the pause that this process knows of, *problems* what an operator must mend.

    *health* tells of the relay of this name whether it can be used.
    """

    census: Census
    lateness: Lateness
    relays: Sequence[RelayInUse]
    sessions: Sequence[Sessions]
    about: About
    now: Clock
    pause: Callable[[], Pause | None] = not_paused
    problems: Callable[[], Sequence[str]] = no_problems
    stores: Sequence[StoreHealth] = ()

    async def counted_anew(self) -> Report:
        """Return the report with counts of this moment, where they are cheap and made in time."""
        await self.census.freshen()
        return self()

    health: Callable[[str], HealthReport] = nothing_heard

    def __call__(self) -> Report:
        counts = self.census.latest
        sessions = {each.name: each for each in self.sessions}
        return Report(
            counts=counts,
            count_time=self.census.count_time if counts is not None else None,
            lateness=self.lateness.latest(),
            relays=[
                report_of(relay, sessions[relay.name], self.health(relay.name))
                for relay in self.relays
            ],
            pause=self.pause(),
            about=self.about,
            report_time=self.now(),
            problems=self.problems(),
            stores=[each.report() for each in self.stores],
        )


def report_of(relay: RelayInUse, sessions: Sessions, health: HealthReport) -> RelayReport:
    return RelayReport(
        name=relay.name,
        is_down=relay.is_down,
        sessions_open=sessions.connections,
        sessions_busy=sessions.busy,
        rate=relay.rate,
        effective_rate=relay.effective_rate,
        health=health,
    )
