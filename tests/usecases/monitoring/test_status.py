from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from gcsched.domain.mail import Mail
from gcsched.domain.pause import Pause
from gcsched.domain.relay_health import HealthReport, RelayState
from gcsched.domain.smtp_reply import Transmission
from gcsched.usecases.monitoring.job_counts import CachedJobCounts
from gcsched.usecases.monitoring.lateness import Lateness
from gcsched.usecases.monitoring.status import ReadStatus, RelayReport, ServiceInfo
from gcsched.usecases.ports import Begin
from gcsched.usecases.relays.protected_relay import ProtectedRelay
from gcsched.usecases.relays.rate_allowance import LocalRateAllowance
from gcsched.usecases.relays.rate_limiter import RateLimiter
from tests.support.builders import NOW, FixedClock
from tests.support.job_counts import COUNTS, FakeJobCounter
from tests.support.relay.sessions import FakeSessions

ABOUT = ServiceInfo(version="1.2.3", python="3.11.9", zones="2026f", start_time=NOW)


@dataclass(frozen=True)
class IdleMailer:
    name: str

    def close_idle(self) -> None:
        """Keep no sessions."""

    def conclude_waiting(self, outcome: Transmission) -> None:
        """Do nothing, as no mail waits for a session."""

    async def send(
        self, mail: Mail, begin: Begin, *, on_session: Callable[[], None] | None = None
    ) -> Transmission:
        raise NotImplementedError(mail, begin, on_session)


def a_relay(name: str, *, per_second: float = 0.0) -> ProtectedRelay:
    rate_limiter = RateLimiter(
        relay=name, per_second=per_second, burst=10, allowance=LocalRateAllowance()
    )
    return ProtectedRelay(
        mailer=IdleMailer(name), rate_limiter=rate_limiter, password_variable="", while_down=""
    )


def a_status(
    *relays: ProtectedRelay, is_store_away: bool = False, sessions: Sequence[FakeSessions] = ()
) -> ReadStatus:
    counter = FakeJobCounter()
    counter.is_away = is_store_away
    known = {each.name for each in sessions}
    others = [FakeSessions(relay.name) for relay in relays if relay.name not in known]
    return ReadStatus(
        job_counts=CachedJobCounts(counter=counter, now=FixedClock()),
        lateness=Lateness(),
        relays=relays,
        sessions=[*sessions, *others],
        service=ABOUT,
        now=FixedClock(),
    )


async def test_counts_are_reported_with_their_time() -> None:
    status = a_status()
    before = status.read()

    await status.job_counts.count()

    assert (before.counts, before.count_time) == (None, None)
    assert (status.read().counts, status.read().count_time) == (COUNTS, NOW)


async def test_unknown_counts_have_no_time() -> None:
    status = a_status(is_store_away=True)
    await status.job_counts.count()

    assert (status.read().counts, status.read().count_time) == (None, None)


def test_each_relay_has_its_own_sessions_and_rate() -> None:
    status = a_status(
        a_relay("first:25", per_second=50),
        a_relay("second:25"),
        sessions=[
            FakeSessions("second:25"),
            FakeSessions("first:25", connections=3, busy=2, limit=24),
        ],
    )

    assert status.read().relays == [
        RelayReport(
            name="first:25",
            is_down=False,
            sessions_open=3,
            sessions_busy=2,
            sessions_limit=24,
            rate=50,
            effective_rate=50,
        ),
        RelayReport(
            name="second:25",
            is_down=False,
            sessions_open=0,
            sessions_busy=0,
            sessions_limit=16,
            rate=0,
            effective_rate=0,
        ),
    ]


def test_the_health_of_each_relay_is_reported_with_its_name() -> None:
    plain = a_status(a_relay("first:25"), a_relay("second:25"))
    failed = HealthReport(state=RelayState.FAILED, error="CONNECT: refused", state_time=NOW)
    status = replace(
        plain, relay_health={"first:25": HealthReport(), "second:25": failed}.__getitem__
    )

    assert [each.health for each in plain.read().relays] == [HealthReport()] * 2
    assert [each.health for each in status.read().relays] == [HealthReport(), failed]


def test_the_known_pause_is_reported() -> None:
    pause = Pause(by="Bob", reason="wrong template", start_time=NOW)
    plain = a_status()
    paused = ReadStatus(
        job_counts=plain.job_counts,
        lateness=plain.lateness,
        relays=plain.relays,
        sessions=(),
        service=ABOUT,
        now=FixedClock(),
        pause=lambda: pause,
    )

    assert plain.read().pause is None
    assert paused.read().pause is pause


def test_versions_and_lateness_are_reported() -> None:
    status = a_status()
    status.lateness.record([timedelta(seconds=1)])

    assert status.read().service == ABOUT
    assert status.read().lateness.mails == 1
