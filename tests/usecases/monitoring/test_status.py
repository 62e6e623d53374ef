from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from gcsched.domain.mail import Mail
from gcsched.domain.pause import Pause
from gcsched.domain.relay_health import HealthReport, RelayState
from gcsched.domain.smtp_reply import Transmission
from gcsched.usecases.monitoring.job_counts import Census
from gcsched.usecases.monitoring.lateness import Lateness
from gcsched.usecases.monitoring.status import About, RelayReport, Status
from gcsched.usecases.ports import Begin
from gcsched.usecases.relays.protected_relay import GuardedRelay
from gcsched.usecases.relays.rate_allowance import OwnAllowance
from gcsched.usecases.relays.rate_limiter import Pacer
from tests.support.builders import NOW, FixedClock
from tests.support.relay.sessions import ToySessions
from tests.support.tally import COUNTS, ToyTally

ABOUT = About(version="1.2.3", python="3.11.9", start_time=NOW)


@dataclass(frozen=True)
class IdleMailer:
    name: str

    def drop_idle(self) -> None:
        """Keep no sessions."""

    async def send(
        self, mail: Mail, begin: Begin, *, on_place: Callable[[], None] | None = None
    ) -> Transmission:
        raise NotImplementedError(mail, begin, on_place)


def a_relay(name: str, *, per_second: float = 0.0) -> GuardedRelay:
    pacer = Pacer(relay=name, per_second=per_second, burst=10, allowance=OwnAllowance())
    return GuardedRelay(mailer=IdleMailer(name), pacer=pacer, login="", meanwhile="")


def a_status(
    *relays: GuardedRelay, is_store_away: bool = False, sessions: Sequence[ToySessions] = ()
) -> Status:
    tally = ToyTally()
    tally.is_away = is_store_away
    known = {each.name for each in sessions}
    others = [ToySessions(relay.name) for relay in relays if relay.name not in known]
    return Status(
        census=Census(tally=tally, now=FixedClock()),
        lateness=Lateness(),
        relays=relays,
        sessions=[*sessions, *others],
        about=ABOUT,
        now=FixedClock(),
    )


async def test_counts_are_told_with_the_time_they_were_made_at() -> None:
    status = a_status()
    before = status()

    await status.census.count()

    assert (before.counts, before.count_time) == (None, None)
    assert (status().counts, status().count_time) == (COUNTS, NOW)


async def test_counts_that_are_unknown_have_no_time() -> None:
    status = a_status(is_store_away=True)
    await status.census.count()

    assert (status().counts, status().count_time) == (None, None)


def test_each_relay_has_its_own_sessions_and_speed() -> None:
    status = a_status(
        a_relay("first:25", per_second=50),
        a_relay("second:25"),
        sessions=[ToySessions("second:25"), ToySessions("first:25", connections=3, busy=2)],
    )

    assert status().relays == [
        RelayReport(
            name="first:25",
            is_down=False,
            sessions_open=3,
            sessions_busy=2,
            rate=50,
            effective_rate=50,
        ),
        RelayReport(
            name="second:25",
            is_down=False,
            sessions_open=0,
            sessions_busy=0,
            rate=0,
            effective_rate=0,
        ),
    ]


def test_what_is_known_of_a_relay_is_told_beside_its_name() -> None:
    plain = a_status(a_relay("first:25"), a_relay("second:25"))
    failed = HealthReport(state=RelayState.FAILED, error="CONNECT: refused", state_time=NOW)
    status = replace(plain, health={"first:25": HealthReport(), "second:25": failed}.__getitem__)

    assert [each.health for each in plain().relays] == [HealthReport()] * 2
    assert [each.health for each in status().relays] == [HealthReport(), failed]


def test_a_pause_is_told_as_whoever_knows_it_tells_it() -> None:
    pause = Pause(by="Bob", reason="wrong template", start_time=NOW)
    plain = a_status()
    paused = Status(
        census=plain.census,
        lateness=plain.lateness,
        relays=plain.relays,
        sessions=(),
        about=ABOUT,
        now=FixedClock(),
        pause=lambda: pause,
    )

    assert plain().pause is None
    assert paused().pause is pause


def test_it_tells_what_runs_and_how_late_mails_were() -> None:
    status = a_status()
    status.lateness.note(timedelta(seconds=1))

    assert status().about == ABOUT
    assert status().lateness.mails == 1
