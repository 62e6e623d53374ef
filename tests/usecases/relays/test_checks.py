"""A relay that gets no mail is checked; breaker, health and log learn from it. Relays are real."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from structlog.testing import capture_logs

from gcsched.adapters.smtp.options import Limits
from gcsched.adapters.smtp.pool import Pool
from gcsched.domain.circuit_breaker import BreakerPolicy
from gcsched.domain.relay_health import RelayState
from gcsched.usecases.relays.checks import RelayChecks
from gcsched.usecases.relays.failover import Relays
from gcsched.usecases.relays.health import RelayHealth
from gcsched.usecases.relays.protected_relay import GuardedRelay
from gcsched.usecases.relays.rate_allowance import OwnAllowance
from gcsched.usecases.relays.rate_limiter import Pacer
from tests.support.builders import FixedClock
from tests.support.clocks import Seconds
from tests.support.mails import Permit, a_mail
from tests.support.relay.client import a_pool
from tests.support.relay.server import Answer, At, Hang, Relay
from tests.support.wait import until

NOT_NOW = Answer(421, "4.3.2 not now")
OTHER_SENDER = Answer(553, "5.7.1 your sender is not welcome")
AWAY_FOR_LONG = BreakerPolicy(first_wait=timedelta(hours=1), longest_wait=timedelta(hours=1))
EVENTS = ["relay is down", "relay is back"]


@dataclass(kw_only=True)
class Checked:
    """A relay with its guard and its checks. *hour* is the wall clock, *seconds* the monotonic."""

    relay: Relay
    pool: Pool
    guard: GuardedRelay
    relays: Relays
    health: RelayHealth
    checks: RelayChecks
    hour: FixedClock
    seconds: Seconds

    def is_(self, state: RelayState) -> bool:
        return self.health.report().state is state

    @property
    def state(self) -> RelayState:
        return self.health.report().state

    async def mail(self) -> None:
        await self.guard.send(a_mail(), Permit())

    async def check(self, times: int = 1) -> None:
        for _ in range(times):
            await self.checks.check()


@asynccontextmanager
async def checking(relay: Relay, limits: Limits | None = None) -> AsyncIterator[Checked]:
    hour, seconds = FixedClock(), Seconds()
    async with a_pool(relay, limits) as pool:
        health = RelayHealth(relay=pool.name, now=hour, clock=seconds)
        guard = GuardedRelay(
            mailer=pool,
            pacer=Pacer(relay=pool.name, per_second=0, burst=1, allowance=OwnAllowance()),
            login="GCSCHED_SMTP_PASSWORD",
            meanwhile="sending waits",
            policy=AWAY_FOR_LONG,
            on_heard=health.note,
        )
        relays = Relays([guard])
        checks = RelayChecks(
            sessions=pool, relay=guard, health=health, wake=relays.wake, clock=seconds
        )
        yield Checked(
            relay=relay,
            pool=pool,
            guard=guard,
            relays=relays,
            health=health,
            checks=checks,
            hour=hour,
            seconds=seconds,
        )


async def test_it_is_unknown_until_a_mail_or_a_check_has_come_to_an_end() -> None:
    async with Relay() as relay:
        async with checking(relay) as by_check, checking(relay) as by_mail:
            assert (by_check.state, by_check.health.is_up) == (RelayState.UNKNOWN, None)

            await by_check.check()
            await by_mail.mail()

            assert (by_check.state, by_mail.state) == (RelayState.UP, RelayState.UP)
        assert relay.times("NOOP") == 1


async def test_one_failed_check_is_told_with_its_time_and_mails_are_tried_all_the_same() -> None:
    async with Relay() as relay, checking(relay) as found:
        await found.check()
        found.hour.forward(timedelta(minutes=5))
        failed_at = found.hour()
        relay.script(At.CONNECT, NOT_NOW)
        relay.drop_all()
        await found.check()
        found.hour.forward(timedelta(minutes=5))
        await found.check()

        report = found.health.report()
        assert (report.state, report.state_time) == (RelayState.FAILED, failed_at)
        assert "421 4.3.2 at CONNECT: not now" in report.error
        assert not found.guard.is_down

        relay.forgive()
        await found.mail()
        assert (found.state, found.health.report().error) == (RelayState.UP, "")
        assert len(relay.ledger) == 1


async def test_the_log_has_one_line_when_it_turns_bad_and_one_when_it_is_mended() -> None:
    async with Relay() as relay, checking(relay) as found:
        relay.script(At.CONNECT, NOT_NOW)
        with capture_logs() as events:
            await found.check(4)
            assert (events, found.state) == ([], RelayState.FAILED)

            await found.check(3)
            assert (len(events), found.state) == (1, RelayState.DOWN)

            relay.forgive()
            await found.check(2)

        assert [each["event"] for each in events] == EVENTS
        assert "421 4.3.2 at CONNECT: not now" in events[0]["error"]
        assert found.state is RelayState.UP
        assert relay.times("MAIL") == 0


async def test_a_queue_that_was_held_back_is_let_go_without_a_mail_as_a_probe() -> None:
    async with Relay() as relay, checking(relay) as found, asyncio.TaskGroup() as tasks:
        relay.script(At.CONNECT, NOT_NOW)
        await found.check(5)
        gate = tasks.create_task(found.relays.wait_open())
        await until(lambda: found.relays.down[found.pool.name])

        relay.forgive()
        await found.check()

        await gate
        assert not found.guard.is_down
        assert relay.times("MAIL") == 0


async def test_a_session_does_not_heal_a_relay_that_refuses_mails() -> None:
    async with Relay() as relay, checking(relay) as found:
        relay.script(At.MAIL, OTHER_SENDER)
        for _ in range(4):
            await found.mail()
            await found.check()
        assert (found.guard.is_down, found.state) == (False, RelayState.UP)
        assert "your sender is not welcome" in found.health.report().error

        await found.mail()
        await found.check(3)
        assert (found.guard.is_down, found.state) == (True, RelayState.DOWN)
        assert "your sender is not welcome" in found.health.report().error

        relay.forgive()
        await found.mail()
        assert (found.guard.is_down, found.state) == (False, RelayState.UP)
        assert found.health.report().error == ""


async def test_what_checks_have_opened_a_check_closes_whatever_a_mail_met_before() -> None:
    async with Relay() as relay, checking(relay) as found:
        relay.script(At.MAIL, OTHER_SENDER, nth=1)
        await found.mail()
        relay.script(At.CONNECT, NOT_NOW)
        relay.drop_all()
        await until(lambda: not found.pool.connections)
        await found.check(4)
        assert found.is_(RelayState.DOWN)

        relay.forgive()
        await found.check()

        assert (found.guard.is_down, found.state) == (False, RelayState.UP)


async def test_failed_checks_do_not_put_off_the_probes_that_carry_mails() -> None:
    async with Relay() as relay, checking(relay) as found:
        relay.script(At.CONNECT, NOT_NOW)
        await found.check(5)
        before = found.guard.seconds_until_try()

        await found.check(5)

        assert found.guard.seconds_until_try() <= before


async def test_a_login_that_is_refused_is_not_tried_five_times() -> None:
    async with Relay() as relay, checking(relay) as found:
        relay.script(At.CONNECT, Answer(535, "5.7.8 no"))
        await found.check()
        assert not found.guard.is_down, "it was no login"

    async with Relay(users={"anna": "right"}) as relay:
        login = {"username": "anna", "password": lambda: "wrong"}
        async with a_pool(relay, login=login) as pool, checking(relay) as found:
            checks = RelayChecks(
                sessions=pool, relay=found.guard, health=found.health, wake=found.relays.wake
            )
            with capture_logs() as events:
                await checks.check()

        assert found.guard.is_down
        assert (relay.times("AUTH"), found.health.schedule.is_login_refused) == (1, True)
        assert "GCSCHED_SMTP_PASSWORD" in events[0]["advice"]


async def test_it_is_checked_at_once_then_while_idle_and_soon_after_trouble() -> None:
    stop = asyncio.Event()
    async with Relay() as relay, checking(relay) as found, asyncio.TaskGroup() as tasks:
        tasks.create_task(found.checks.run(stop))
        await until(lambda: relay.times("NOOP") == 1 and found.state is RelayState.UP)

        found.seconds.now += 44
        relay.script(At.MAIL, OTHER_SENDER, nth=1)
        await found.mail()
        found.seconds.now += 1.0
        found.health.troubled.set()
        await until(lambda: relay.times("NOOP") == 2)

        stop.set()


async def test_a_stop_ends_a_check_of_a_silent_relay_at_once() -> None:
    stop = asyncio.Event()
    async with Relay() as relay, checking(relay) as found, asyncio.TaskGroup() as tasks:
        relay.script(At.CONNECT, Hang())
        running = tasks.create_task(found.checks.run(stop))
        await until(lambda: relay.acted)

        stop.set()

        async with asyncio.timeout(1):
            await running
        await until(lambda: not relay.open)
        assert found.state is RelayState.UNKNOWN


async def test_a_check_that_makes_way_for_a_mail_says_nothing() -> None:
    async with Relay() as relay, checking(relay) as found, asyncio.TaskGroup() as tasks:
        answer = asyncio.Event()
        relay.script(At.BODY, Hang(answer))
        mail = tasks.create_task(found.mail())
        await until(lambda: relay.bodies)

        await found.check()
        assert (found.state, relay.times("NOOP")) == (RelayState.UNKNOWN, 0)

        answer.set()
        await mail
        assert found.state is RelayState.UP
