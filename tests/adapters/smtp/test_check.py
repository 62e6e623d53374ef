"""A pool checks that its relay takes sessions: no mail is sent, and none waits for it."""

import asyncio
from datetime import timedelta

import pytest

from gcsched.adapters.smtp.checker import SessionChecker
from gcsched.adapters.smtp.pool import SmtpSessionPool
from gcsched.adapters.smtp.relay_settings import RelaySettings, Security, Timeouts
from gcsched.domain.relay_health import CheckResult
from gcsched.domain.smtp_reply import Answered, Broken, Stage
from gcsched.usecases.loops import cancel_until_done
from tests.support.ports import free_port
from tests.support.relay.client import ACCEPTED, a_pool, deliver
from tests.support.relay.server import Action, Answer, At, Drop, Hang, Raw, Relay
from tests.support.wait import until

HEALTHY = CheckResult()
NOT_CHECKED = None
SOON = Timeouts(check=timedelta(seconds=0.2))  # only for what ends by it: a machine may be busy


def describe_problem(checked: CheckResult | None) -> tuple[Stage, str]:
    assert checked is not None
    match checked.failure:
        case Answered(reply):
            return reply.stage, f"{reply.code} {reply.text}"
        case Broken(stage, reason):
            return stage, reason
    raise AssertionError(checked)


@pytest.mark.parametrize("security", ["none", "starttls", "tls"])
async def test_a_session_that_works_is_kept_for_the_first_mail(security: str) -> None:
    async with Relay(security=security, users={"anna": "right"}) as relay:
        login = {"username": "anna", "password": lambda: "right"}
        async with a_pool(relay, login=login) as pool:
            assert await pool.check() == HEALTHY
            verbs = [verb for _, verb in relay.commands]
            assert (pool.connections, pool.idle) == (1, 1)

            assert await deliver(pool) == Answered(ACCEPTED)

        assert verbs[-2:] == ["AUTH", "NOOP"]
        assert {"MAIL", "RCPT", "DATA"}.isdisjoint(verbs)
        assert (relay.sessions, relay.count_commands("AUTH"), relay.violations) == (1, 1, [])


async def test_an_idle_session_is_checked_before_a_new_one_is_opened() -> None:
    async with Relay() as relay, a_pool(relay) as pool:
        await deliver(pool)

        assert [await pool.check(), await pool.check()] == [HEALTHY, HEALTHY]

        assert (relay.sessions, relay.count_commands("NOOP"), pool.idle) == (1, 2, 1)


async def test_idle_sessions_that_the_relay_closed_are_not_a_problem() -> None:
    async with Relay() as relay, a_pool(relay) as pool:
        await pool.check()
        relay.send_to_all(b"421 4.4.2 idle for too long\r\n")
        relay.drop_all()

        assert await pool.check() == HEALTHY
        await until(lambda: pool.connections == 1)
        assert (relay.sessions, pool.idle) == (2, 1)


async def test_a_mail_that_finds_the_checked_session_dead_opens_a_new_one() -> None:
    async with Relay() as relay, a_pool(relay) as pool:
        await pool.check()
        relay.script(At.MAIL, Drop(), nth=1)

        assert await deliver(pool) == Answered(ACCEPTED)

        assert relay.sessions == 2


@pytest.mark.parametrize(
    ("at", "action", "stage", "text"),
    [
        (At.CONNECT, Answer(421, "4.3.2 not now"), Stage.CONNECT, "421 not now"),
        (At.CONNECT, Answer(554, "5.7.1 not you"), Stage.CONNECT, "554 not you"),
        (At.CONNECT, Drop(), Stage.CONNECT, "closed"),
        (At.CONNECT, Hang(), Stage.CONNECT, "no answer within 0.2 seconds"),
        (At.CONNECT, Raw(b"SSH-2.0-OpenSSH\r\n"), Stage.CONNECT, ""),
        (At.EHLO, Answer(504, "5.5.2 a full name, please"), Stage.CONNECT, "504 a full name"),
        (At.EHLO, Hang(), Stage.CONNECT, "no answer within 0.2 seconds"),
    ],
)
async def test_failures_of_sessions_are_reported_and_then_their_end(
    at: At, action: Action, stage: Stage, text: str
) -> None:
    timeouts = SOON if isinstance(action, Hang) else None
    async with Relay() as relay, a_pool(relay, timeouts) as pool:
        relay.script(at, action)
        found, reported = describe_problem(await pool.check())
        assert found is stage
        assert text in reported

        async def is_healthy() -> bool:
            return await pool.check() == HEALTHY

        relay.clear_rules()
        await until(is_healthy)
        assert relay.count_commands("MAIL") == 0


async def test_a_closed_port_and_an_unknown_host_are_reported() -> None:
    for host, port in (("127.0.0.1", free_port()), ("no-such-host.invalid", 25)):
        relay = RelaySettings(host=host, port=port, security=Security.NONE)
        async with SmtpSessionPool(relay=relay) as pool:
            stage, text = describe_problem(await pool.check())

        assert stage is Stage.CONNECT
        assert text


async def test_a_certificate_of_another_host_is_reported() -> None:
    async with (
        Relay(security="starttls", certificate_for="other.test") as relay,
        a_pool(relay) as pool,
    ):
        stage, text = describe_problem(await pool.check())

    assert stage is Stage.TLS
    assert "certificate" in text


async def test_a_login_that_is_refused_is_reported_and_a_new_password_noticed() -> None:
    password = ["wrong"]
    async with Relay(users={"anna": "right"}) as relay:
        login = {"username": "anna", "password": lambda: password[0]}
        async with a_pool(relay, login=login) as pool:
            assert not pool.has_new_login
            stage, text = describe_problem(await pool.check())
            assert (stage, pool.has_new_login) == (Stage.AUTH, False)
            assert text.startswith("535")

            password[0] = "right"
            assert pool.has_new_login
            assert await pool.check() == HEALTHY
            assert not pool.has_new_login
            assert "right" not in repr(pool)


async def test_no_check_runs_while_a_mail_is_under_way() -> None:
    answer = asyncio.Event()
    async with Relay() as relay, a_pool(relay) as pool, asyncio.TaskGroup() as tasks:
        relay.script(At.BODY, Hang(answer))
        mail = tasks.create_task(deliver(pool))
        await until(lambda: relay.bodies)

        assert await pool.check() is NOT_CHECKED

        answer.set()
        assert await mail == Answered(ACCEPTED)
        assert relay.count_commands("NOOP") == 0


async def test_a_mail_that_needs_the_slot_ends_the_check() -> None:
    async with Relay() as relay, a_pool(relay, sessions=1) as pool, asyncio.TaskGroup() as tasks:
        relay.script(At.CONNECT, Hang(), nth=1)
        check = tasks.create_task(pool.check())
        await until(lambda: relay.applied_actions)

        assert await deliver(pool) == Answered(ACCEPTED)

        assert await check is NOT_CHECKED
        assert relay.sessions == 2


async def test_with_free_slots_a_mail_and_a_check_do_not_meet() -> None:
    async with Relay() as relay, a_pool(relay, sessions=2) as pool, asyncio.TaskGroup() as tasks:
        greet = asyncio.Event()
        relay.script(At.CONNECT, Hang(greet), nth=1)
        check = tasks.create_task(pool.check())
        await until(lambda: relay.applied_actions)

        assert await deliver(pool) == Answered(ACCEPTED)
        assert not check.done()

        greet.set()
        assert await check == HEALTHY
        assert (relay.sessions, pool.idle) == (2, 2)


async def test_a_check_that_is_cancelled_leaves_no_connection() -> None:
    async with Relay() as relay, a_pool(relay) as pool:
        relay.script(At.CONNECT, Hang())
        check = asyncio.ensure_future(pool.check())
        await until(lambda: relay.applied_actions)

        check.cancel()
        await asyncio.wait({check})

        assert check.cancelled()
        await until(lambda: not relay.open)
        assert pool.connections == 0


class StubbornSession:
    """Swallows the first cancellation, as a library may that waits with asyncio.wait_for."""

    def __init__(self) -> None:
        self.started = asyncio.Event()
        self.cancellations = 0

    async def open(self) -> None:
        self.started.set()
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.cancellations += 1
                if self.cancellations > 1:
                    raise


async def test_a_cancellation_that_is_swallowed_holds_up_no_mail() -> None:
    session = StubbornSession()
    checker = SessionChecker(check_session=session.open, password=None, seconds=60)
    async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
        check = tasks.create_task(checker.check())
        await session.started.wait()

        checker.give_up()

        assert await check is NOT_CHECKED
    assert session.cancellations == 2


async def test_a_check_that_is_cancelled_leaves_no_session_behind() -> None:
    session = StubbornSession()
    checker = SessionChecker(check_session=session.open, password=None, seconds=60)
    check = asyncio.create_task(checker.check())
    await session.started.wait()

    assert await cancel_until_done({check}, within=timedelta(seconds=5))

    assert check.cancelled()
    assert session.cancellations == 2
    assert asyncio.all_tasks() == {asyncio.current_task()}
