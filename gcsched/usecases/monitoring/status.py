"""How things are, as this process knows it; it waits for no store longer than a moment."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from gcsched.domain.pause import Pause
from gcsched.domain.relay_health import HealthReport
from gcsched.usecases.monitoring.job_counts import CachedJobCounts
from gcsched.usecases.monitoring.lateness import Lateness, LatenessQuantiles
from gcsched.usecases.monitoring.store_health import StoreHealth, StoreReport
from gcsched.usecases.ports import Clock, JobCounts, RelayInUse, RelaySessions


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
class ServiceInfo:
    """What runs, and since when."""

    version: str
    python: str
    start_time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusReport:
    """*counts* were made at *count_time*; None: unknown, because MongoDB is away.

    The report itself was made at *report_time*.
    """

    counts: JobCounts | None
    count_time: datetime | None
    lateness: LatenessQuantiles
    relays: Sequence[RelayReport]
    pause: Pause | None
    service: ServiceInfo
    report_time: datetime
    problems: Sequence[str] = ()
    stores: Sequence[StoreReport] = ()


def no_pause() -> None:
    """Be the *pause* of a service that nobody can pause."""


def unknown_health(_: str) -> HealthReport:
    """Be the *relay_health* of relays that nobody keeps in mind."""
    return HealthReport()


def no_problems() -> Sequence[str]:
    """Be the *problems* of a service whose stores are not looked after."""
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadStatus:
    """*pause* tells the pause that this process knows of, *problems* what an operator must mend.

    *relay_health* tells of the relay of this name whether it can be used.
    """

    job_counts: CachedJobCounts
    lateness: Lateness
    relays: Sequence[RelayInUse]
    sessions: Sequence[RelaySessions]
    service: ServiceInfo
    now: Clock
    pause: Callable[[], Pause | None] = no_pause
    problems: Callable[[], Sequence[str]] = no_problems
    stores: Sequence[StoreHealth] = ()

    async def read_with_fresh_counts(self) -> StatusReport:
        """Return the report with counts of this moment, where they are cheap and made in time."""
        await self.job_counts.refresh()
        return self.read()

    relay_health: Callable[[str], HealthReport] = unknown_health

    def read(self) -> StatusReport:
        counts = self.job_counts.latest
        sessions = {each.name: each for each in self.sessions}
        return StatusReport(
            counts=counts,
            count_time=self.job_counts.count_time if counts is not None else None,
            lateness=self.lateness.summarize(),
            relays=[
                make_relay_report(relay, sessions[relay.name], self.relay_health(relay.name))
                for relay in self.relays
            ],
            pause=self.pause(),
            service=self.service,
            report_time=self.now(),
            problems=self.problems(),
            stores=[each.report() for each in self.stores],
        )


def make_relay_report(
    relay: RelayInUse, sessions: RelaySessions, health: HealthReport
) -> RelayReport:
    return RelayReport(
        name=relay.name,
        is_down=relay.is_down,
        sessions_open=sessions.connections,
        sessions_busy=sessions.busy,
        rate=relay.rate,
        effective_rate=relay.effective_rate,
        health=health,
    )
