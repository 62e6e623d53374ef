"""The status report: what this process knows now; it never waits long for a store."""

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
    """The status of one relay.

    *sessions_limit* is how many sessions there may be now. *rate* is how many mails per second the
    operator allows, *effective_rate* how many are aimed at now; 0: no limit.
    """

    name: str
    is_down: bool
    sessions_open: int
    sessions_busy: int
    sessions_limit: int
    rate: float
    effective_rate: float
    health: HealthReport = field(default_factory=HealthReport)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceInfo:
    """The versions that run, and when the process started; *zones* is that of the time zones."""

    version: str
    python: str
    zones: str
    start_time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessReport:
    """Who may call this process; *problem* is what is wrong with the file of clients."""

    is_controlled: bool = False
    is_encrypted: bool = False
    is_insecure: bool = False
    clients: int = 0
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SendingReport:
    """To whom this process sends mails: all to *redirect_to*, only to *allowed_recipients*.

    Empty: to their recipients, and to all. *senders* are as mails show them, the default one first.
    """

    redirect_to: str = ""
    allowed_recipients: Sequence[str] = ()
    senders: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusReport:
    """The state of the service at *report_time*.

    *counts* are of *count_time*; both are None if they are unknown, such as while MongoDB is away.
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
    access: AccessReport = AccessReport()
    sending: SendingReport = SendingReport()


def no_pause() -> None:
    """Return None: the *pause* of a service that cannot be paused."""


def unknown_health(_: str) -> HealthReport:
    """Return an empty report: the *relay_health* of relays that are not checked."""
    return HealthReport()


def no_problems() -> Sequence[str]:
    """Return no problem: the *problems* of a service whose stores are not checked."""
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadStatus:
    """Builds the status report.

    *pause* returns the pause that this process knows of, *problems* what an operator has to repair,
    and *relay_health* the health of the relay of that name.
    """

    job_counts: CachedJobCounts
    lateness: Lateness
    relays: Sequence[RelayInUse]
    sessions: Sequence[RelaySessions]
    service: ServiceInfo
    now: Clock
    pause: Callable[[], Pause | None] = no_pause
    problems: Callable[[], Sequence[str]] = no_problems
    relay_health: Callable[[str], HealthReport] = unknown_health
    stores: Sequence[StoreHealth] = ()
    access: Callable[[], AccessReport] = AccessReport
    sending: SendingReport = SendingReport()

    async def read_with_fresh_counts(self) -> StatusReport:
        """Return the report with new counts, if counting is cheap and done in time."""
        await self.job_counts.refresh()
        return self.read()

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
            access=self.access(),
            sending=self.sending,
        )


def make_relay_report(
    relay: RelayInUse, sessions: RelaySessions, health: HealthReport
) -> RelayReport:
    return RelayReport(
        name=relay.name,
        is_down=relay.is_down,
        sessions_open=sessions.connections,
        sessions_busy=sessions.busy,
        sessions_limit=sessions.limit,
        rate=relay.rate,
        effective_rate=relay.effective_rate,
        health=health,
    )
