"""A relay that gets no mail is checked; breaker, health and log learn from it. Relays are real."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from structlog.testing import capture_logs

from gcsched.adapters.smtp.pool import SmtpSessionPool
from gcsched.adapters.smtp.relay_settings import Timeouts
from gcsched.domain.circuit_breaker import BreakerPolicy
from gcsched.domain.relay_health import RelayState
from gcsched.usecases.relays.checks import RelayChecks
from gcsched.usecases.relays.failover import FailoverTransport
from gcsched.usecases.relays.health import RelayHealth
from gcsched.usecases.relays.protected_relay import ProtectedRelay
from gcsched.usecases.relays.rate_allowance import LocalRateAllowance
from gcsched.usecases.relays.rate_limiter import RateLimiter
from tests.support.builders import FixedClock
from tests.support.clocks import FakeMonotonicClock
from tests.support.mails import GrantPermit, a_mail
from tests.support.relay.client import a_pool
from tests.support.relay.server import Answer, At, Hang, Relay
from tests.support.wait import until

TEMPORARY_REFUSAL = Answer(421, "4.3.2 not now")
OTHER_SENDER = Answer(553, "5.7.1 your sender is not welcome")
AWAY_FOR_LONG = BreakerPolicy(initial_wait=timedelta(hours=1), max_wait=timedelta(hours=1))
EVENTS = ["relay is down", "relay is back"]


@dataclass(kw_only=True)
class CheckedRelay:
    """A protected relay and its checks. *hour* is the wall clock, *seconds* the monotonic one."""

    relay: Relay
    pool: SmtpSessionPool
    protected: ProtectedRelay
    relays: FailoverTransport
    health: RelayHealth
    checks: RelayChecks
    hour: FixedClock
    seconds: FakeMonotonicClock

    def is_in_state(self, state: RelayState) -> bool:
        return self.health.report().state is state

    @property
    def state(self) -> RelayState:
        return self.health.report().state

    async def send_mail(self) -> None:
        await self.protected.send(a_mail(), GrantPermit())

    async def check(self, times: int = 1) -> None:
        for _ in range(times):
            await self.checks.check()


@asynccontextmanager
async def a_checked_relay(
    relay: Relay, limits: Timeouts | None = None
) -> AsyncIterator[CheckedRelay]:
    hour, seconds = FixedClock(), FakeMonotonicClock()
    async with a_pool(relay, limits) as pool:
        health = RelayHealth(relay=pool.name, now=hour, clock=seconds)
        protected = ProtectedRelay(
            mailer=pool,
            rate_limiter=RateLimiter(
                relay=pool.name, per_second=0, burst=1, allowance=LocalRateAllowance()
            ),
            password_variable="GCSCHED_SMTP_PASSWORD",
            while_down="sending waits",
            policy=AWAY_FOR_LONG,
            on_observation=health.record,
        )
        relays = FailoverTransport([protected])
        checks = RelayChecks(
            sessions=pool, relay=protected, health=health, on_up=relays.notify_up, clock=seconds
        )
        yield CheckedRelay(
            relay=relay,
            pool=pool,
            protected=protected,
            relays=relays,
            health=health,
            checks=checks,
            hour=hour,
            seconds=seconds,
        )


async def test_a_relay_is_unknown_until_a_mail_or_a_check_has_ended() -> None:
    async with Relay() as relay:
        async with a_checked_relay(relay) as by_check, a_checked_relay(relay) as by_mail:
            assert (by_check.state, by_check.health.is_up) == (RelayState.UNKNOWN, None)

            await by_check.check()
            await by_mail.send_mail()

            assert (by_check.state, by_mail.state) == (RelayState.UP, RelayState.UP)
        assert relay.count_commands("NOOP") == 1


async def test_one_failed_check_is_reported_with_its_time_and_mails_are_still_tried() -> None:
    async with Relay() as relay, a_checked_relay(relay) as found:
        await found.check()
        found.hour.advance(timedelta(minutes=5))
        failed_at = found.hour()
        relay.script(At.CONNECT, TEMPORARY_REFUSAL)
        relay.drop_all()
        await found.check()
        found.hour.advance(timedelta(minutes=5))
        await found.check()

        report = found.health.report()
        assert (report.state, report.state_time) == (RelayState.FAILED, failed_at)
        assert "421 4.3.2 at CONNECT: not now" in report.error
        assert not found.protected.is_down

        relay.clear_rules()
        await found.send_mail()
        assert (found.state, found.health.report().error) == (RelayState.UP, "")
        assert len(relay.ledger) == 1


async def test_the_log_has_one_line_when_it_goes_down_and_one_when_it_is_back() -> None:
    async with Relay() as relay, a_checked_relay(relay) as found:
        relay.script(At.CONNECT, TEMPORARY_REFUSAL)
        with capture_logs() as events:
            await found.check(4)
            assert (events, found.state) == ([], RelayState.FAILED)

            await found.check(3)
            assert (len(events), found.state) == (1, RelayState.DOWN)

            relay.clear_rules()
            await found.check(2)

        assert [each["event"] for each in events] == EVENTS
        assert "421 4.3.2 at CONNECT: not now" in events[0]["error"]
        assert found.state is RelayState.UP
        assert relay.count_commands("MAIL") == 0


async def test_held_back_mails_are_released_by_a_check_without_a_probe() -> None:
    async with Relay() as relay, a_checked_relay(relay) as found, asyncio.TaskGroup() as tasks:
        relay.script(At.CONNECT, TEMPORARY_REFUSAL)
        await found.check(5)
        gate = tasks.create_task(found.relays.wait_open())
        await until(lambda: found.relays.down[found.pool.name])

        relay.clear_rules()
        await found.check()

        await gate
        assert not found.protected.is_down
        assert relay.count_commands("MAIL") == 0


async def test_a_successful_check_does_not_close_the_breaker_of_a_relay_that_refuses_mails() -> (
    None
):
    async with Relay() as relay, a_checked_relay(relay) as found:
        relay.script(At.MAIL, OTHER_SENDER)
        for _ in range(4):
            await found.send_mail()
            await found.check()
        assert (found.protected.is_down, found.state) == (False, RelayState.UP)
        assert "your sender is not welcome" in found.health.report().error

        await found.send_mail()
        await found.check(3)
        assert (found.protected.is_down, found.state) == (True, RelayState.DOWN)
        assert "your sender is not welcome" in found.health.report().error

        relay.clear_rules()
        await found.send_mail()
        assert (found.protected.is_down, found.state) == (False, RelayState.UP)
        assert found.health.report().error == ""


async def test_a_breaker_that_checks_opened_is_closed_by_a_check() -> None:
    async with Relay() as relay, a_checked_relay(relay) as found:
        relay.script(At.MAIL, OTHER_SENDER, nth=1)
        await found.send_mail()
        relay.script(At.CONNECT, TEMPORARY_REFUSAL)
        relay.drop_all()
        await until(lambda: not found.pool.connections)
        await found.check(4)
        assert found.is_in_state(RelayState.DOWN)

        relay.clear_rules()
        await found.check()

        assert (found.protected.is_down, found.state) == (False, RelayState.UP)


async def test_failed_checks_do_not_delay_probes_by_mails() -> None:
    async with Relay() as relay, a_checked_relay(relay) as found:
        relay.script(At.CONNECT, TEMPORARY_REFUSAL)
        await found.check(5)
        before = found.protected.seconds_until_try()

        await found.check(5)

        assert found.protected.seconds_until_try() <= before


async def test_a_refused_login_is_not_tried_five_times() -> None:
    async with Relay() as relay, a_checked_relay(relay) as found:
        relay.script(At.CONNECT, Answer(535, "5.7.8 no"))
        await found.check()
        assert not found.protected.is_down, "not a login"

    async with Relay(users={"anna": "right"}) as relay:
        login = {"username": "anna", "password": lambda: "wrong"}
        async with a_pool(relay, login=login) as pool, a_checked_relay(relay) as found:
            checks = RelayChecks(
                sessions=pool,
                relay=found.protected,
                health=found.health,
                on_up=found.relays.notify_up,
            )
            with capture_logs() as events:
                await checks.check()

        assert found.protected.is_down
        assert (relay.count_commands("AUTH"), found.health.schedule.is_login_refused) == (1, True)
        assert "GCSCHED_SMTP_PASSWORD" in events[0]["advice"]


async def test_a_relay_is_checked_at_once_then_while_idle_and_soon_after_a_failure() -> None:
    stop = asyncio.Event()
    async with Relay() as relay, a_checked_relay(relay) as found, asyncio.TaskGroup() as tasks:
        tasks.create_task(found.checks.run(stop))
        await until(lambda: relay.count_commands("NOOP") == 1 and found.state is RelayState.UP)

        found.seconds.now += 44
        relay.script(At.MAIL, OTHER_SENDER, nth=1)
        await found.send_mail()
        found.seconds.now += 1.0
        found.health.has_failed.set()
        await until(lambda: relay.count_commands("NOOP") == 2)

        stop.set()


async def test_a_stop_ends_a_check_of_a_silent_relay_at_once() -> None:
    stop = asyncio.Event()
    async with Relay() as relay, a_checked_relay(relay) as found, asyncio.TaskGroup() as tasks:
        relay.script(At.CONNECT, Hang())
        running = tasks.create_task(found.checks.run(stop))
        await until(lambda: relay.applied_actions)

        stop.set()

        async with asyncio.timeout(1):
            await running
        await until(lambda: not relay.open)
        assert found.state is RelayState.UNKNOWN


async def test_a_check_that_makes_way_for_a_mail_has_no_result() -> None:
    async with Relay() as relay, a_checked_relay(relay) as found, asyncio.TaskGroup() as tasks:
        answer = asyncio.Event()
        relay.script(At.BODY, Hang(answer))
        mail = tasks.create_task(found.send_mail())
        await until(lambda: relay.bodies)

        await found.check()
        assert (found.state, relay.count_commands("NOOP")) == (RelayState.UNKNOWN, 0)

        answer.set()
        await mail
        assert found.state is RelayState.UP
