"""A silent relay before a real one: mails leave by the other, and a slow relay stays in use."""

import asyncio
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from gcsched.adapters.smtp.relay_settings import Timeouts
from gcsched.domain import permit
from gcsched.domain.mail import Mail
from gcsched.domain.smtp_reply import Answered, Broken, Reply, Stage, Transmission
from gcsched.usecases.ports import Begin
from gcsched.usecases.relays.failover import FailoverTransport
from gcsched.usecases.relays.protected_relay import ProtectedRelay
from tests.support.builders import NOW
from tests.support.log_events import Events
from tests.support.mails import GrantPermit, a_mail
from tests.support.relay.client import a_pool
from tests.support.relay.pair import MIN_SILENCE, SOON, a_pair, a_protected_relay
from tests.support.relay.server import Answer, At, Hang, Relay, Trickle
from tests.support.wait import until

LONGER = 1.0  # where something is done meanwhile


SILENT_AT = [At.CONNECT, At.EHLO, At.MAIL, At.RCPT, At.DATA]


@pytest.mark.parametrize("at", SILENT_AT)
async def test_mails_of_a_relay_that_is_silent_before_the_body_go_to_the_next(
    at: At, events: Events
) -> None:
    async with a_pair() as pair:
        pair.first.script(at, Hang())

        took = await pair.send_timed(16)

        assert len(pair.second.per_recipient) == len(pair.second.ledger) == 16
        assert pair.first.ledger == []
        assert MIN_SILENCE <= took < SOON
        await until(lambda: pair.pool.connections == 0)
    [down] = [each for each in events if each["event"] == "relay is down"]
    assert down["error"] == f"CONNECT: the relay gave no sign of life for {MIN_SILENCE:g} seconds"
    assert str(down["advice"]).endswith("the fallback takes over")


async def test_a_relay_that_is_silent_in_the_tls_handshake_or_at_login_is_given_up() -> None:
    for first, at, login in (
        (Relay(security="starttls"), At.TLS, None),
        (Relay(users={"ada": "pw"}), At.AUTH, {"username": "ada", "password": lambda: "pw"}),
    ):
        async with a_pair(first=first, login=login) as pair:
            pair.first.script(at, Hang())

            assert await pair.send_timed() < SOON
            assert len(pair.second.ledger) == 1


@contextmanager
def a_port_that_drops() -> Iterator[int]:
    """Yield a port whose backlog is full: the system drops further connections silently."""
    with ExitStack() as stack:
        listening = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            filling = stack.enter_context(socket.socket())
            filling.settimeout(0)
            filling.connect_ex(listening.getsockname())
        yield listening.getsockname()[1]


async def test_a_relay_whose_system_drops_connections_is_given_up() -> None:
    with a_port_that_drops() as port:
        async with a_pair(login={"port": port}) as pair:
            assert MIN_SILENCE <= await pair.send_timed(4) < SOON
            assert len(pair.second.ledger) == 4


async def test_slow_octets_are_not_a_sign_of_life() -> None:
    async with a_pair() as pair:
        pair.first.script(At.CONNECT, Trickle(every=0.2))

        assert await pair.send_timed() < SOON
        assert len(pair.second.ledger) == 1


async def test_a_session_that_falls_silent_is_given_up_and_the_idle_ones_are_closed() -> None:
    async with a_pair() as pair:
        await pair.send_timed(4)
        assert pair.pool.idle == 4
        pair.first.script(At.MAIL, Hang())

        assert await pair.send_timed() < SOON

        assert len(pair.second.ledger) == 1
        await until(lambda: pair.pool.connections == 0)


async def test_the_next_mails_do_not_wait_for_a_probe() -> None:
    async with a_pair(min_silence=LONGER) as pair:
        pair.first.script(At.CONNECT, Hang())
        await pair.send_timed()
        await until(lambda: pair.relays.relays[0].seconds_until_try() == 0)
        sessions = pair.first.sessions

        probe = asyncio.create_task(pair.send_timed())
        await until(lambda: pair.first.sessions > sessions)
        await pair.send_timed(4)
        was_probing = not probe.done()
        took = await probe

        assert was_probing
        assert 2 * LONGER <= took < SOON  # its own mail goes elsewhere as well
        assert pair.first.sessions == sessions + 1
        assert len(pair.second.ledger) == 6


async def test_a_slow_relay_is_found_usable_by_its_probe_and_does_not_flap(events: Events) -> None:
    async with a_pair() as pair:
        pair.first.script(At.CONNECT, Hang())
        await pair.send_timed(4)  # they go to the second
        await until(lambda: pair.relays.relays[0].seconds_until_try() == 0)
        for count in (1, 4, 4, 4):
            pair.pool.close_idle()
            greet_after(1.5 * MIN_SILENCE, pair.first)
            await pair.send_timed(count)

    assert len(pair.first.ledger) == 1 + 3 * 4
    assert [each["event"] for each in events] == ["relay is down", "relay is back"]


def greet_after(seconds: float, relay: Relay) -> None:
    greeting = asyncio.Event()
    relay.clear_rules()
    relay.script(At.CONNECT, Hang(until=greeting))
    asyncio.get_running_loop().call_later(seconds, greeting.set)


async def test_without_another_relay_the_long_time_limits_stay(events: Events) -> None:
    limits = Timeouts(greeting=timedelta(seconds=3 * MIN_SILENCE))
    async with Relay() as relay, a_pool(relay, limits) as pool:
        relay.script(At.CONNECT, Hang())
        relays = FailoverTransport([a_protected_relay(pool)])

        begun = time.monotonic()
        result = await relays.send(a_mail(), GrantPermit())

    assert time.monotonic() - begun >= 3 * MIN_SILENCE
    assert isinstance(result.transmission, Broken)
    assert events == []


async def test_while_the_other_relay_is_down_the_long_time_limits_stay() -> None:
    limits = Timeouts(greeting=timedelta(seconds=3 * MIN_SILENCE))
    async with a_pair(limits) as pair:
        pair.second.script(At.CONNECT, Answer(421, "4.3.2 not now"))
        pair.first.script(At.CONNECT, Answer(421, "4.3.2 not now"), nth=1)
        await send_until_down(pair.relays.relays[1])
        pair.first.clear_rules()
        pair.first.script(At.CONNECT, Hang())

        begun = time.monotonic()
        await pair.send()

    assert time.monotonic() - begun >= 3 * MIN_SILENCE


async def send_until_down(relay: ProtectedRelay) -> None:
    while not relay.is_down:
        await relay.send(a_mail(), GrantPermit())


async def test_silence_after_the_body_began_is_waited_for() -> None:
    limits = Timeouts(dot=timedelta(seconds=3 * MIN_SILENCE))
    async with a_pair(limits) as pair:
        pair.first.script(At.BODY, Hang())

        begun = time.monotonic()
        [result] = await pair.send()

        assert time.monotonic() - begun >= 3 * MIN_SILENCE
        assert isinstance(result.transmission, Broken)
        assert result.transmission.stage is Stage.BODY
        assert pair.second.ledger == []


async def test_a_mail_that_waits_for_its_permit_is_not_given_up() -> None:
    async with a_pair() as pair:
        requested = 0

        async def slow_fence() -> permit.Permit:
            nonlocal requested
            requested += 1
            await asyncio.wait(
                [asyncio.get_running_loop().create_future()], timeout=2 * MIN_SILENCE
            )
            return permit.Permit(until=time.monotonic() + 30, date=NOW)

        result = await pair.relays.send(a_mail(), slow_fence)

        assert requested == 1
        assert result.relay == pair.pool.name
        assert len(pair.first.ledger) == 1


async def test_while_other_mails_are_accepted_a_slow_one_is_waited_for() -> None:
    async with a_pair(min_silence=LONGER) as pair:
        go_on = asyncio.Event()
        pair.first.script(At.RCPT, Hang(until=go_on), to="slow@example.org")
        slow = asyncio.create_task(
            pair.relays.send(a_mail(recipient="slow@example.org"), GrantPermit())
        )

        begun = time.monotonic()

        async def has_carried_for_long() -> bool:
            await pair.send()
            return time.monotonic() - begun > 1.5 * LONGER

        await until(has_carried_for_long, every=0.05)
        go_on.set()

        assert (await slow).relay == pair.pool.name


async def test_a_process_that_was_suspended_blames_no_relay(events: Events) -> None:
    async with a_pair() as pair:
        answer = asyncio.Event()
        pair.first.script(At.RCPT, Hang(until=answer))
        carrying = asyncio.create_task(pair.send())
        await until(lambda: pair.first.count_commands("RCPT"))

        block_loop(2 * MIN_SILENCE)
        answer.set()
        [result] = await carrying

    assert result.relay == pair.pool.name
    assert events == []


def block_loop(seconds: float) -> None:
    """Block the event loop, as a suspended process does: all that is due waits afterwards."""
    time.sleep(seconds)


@dataclass(eq=False)
class LateRelay:
    """A relay that waits for the body at the moment in which it is given up."""

    name: str = "late:25"
    given_up: asyncio.Event = field(default_factory=asyncio.Event)
    fence_passed: bool = False

    def close_idle(self) -> None:
        self.given_up.set()

    def conclude_waiting(self, outcome: Transmission) -> None:
        """Do nothing, as no mail waits for a session."""

    async def send(
        self, _: Mail, begin: Begin, *, on_session: Callable[[], None] | None = None
    ) -> Transmission:
        if on_session is not None:
            on_session()
        await self.given_up.wait()
        self.fence_passed = await begin() is not None
        return Answered(Reply(stage=Stage.BODY, code=250))


async def test_a_mail_that_comes_to_its_body_while_it_is_given_up_goes_on() -> None:
    mailer = LateRelay()
    requested = 0

    async def slow_fence() -> permit.Permit:
        nonlocal requested
        requested += 1
        await asyncio.wait([asyncio.get_running_loop().create_future()], timeout=0.1)
        return permit.Permit(until=time.monotonic() + 30, date=NOW)

    async with Relay() as second, a_pool(second) as other:
        relays = FailoverTransport([a_protected_relay(mailer), a_protected_relay(other)])
        result = await relays.send(a_mail(), slow_fence)

        assert (result.relay, requested, mailer.fence_passed) == ("late:25", 1, True)
        assert second.ledger == []
