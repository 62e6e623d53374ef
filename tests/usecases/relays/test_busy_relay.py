"""A busy relay before another one: the wait for a session with it is not its silence."""

import asyncio
import time
from collections import Counter

import pytest

from gcsched.domain import permit
from tests.support.builders import NOW
from tests.support.log_events import Events
from tests.support.mails import GrantPermit, a_mail
from tests.support.relay.pair import MIN_SILENCE, SOON, RelayPair, a_pair, code_of
from tests.support.relay.server import Answer, At, Hang, Late
from tests.support.wait import until

LATE = 1.5 * MIN_SILENCE
SILENT_BODIES = 4 * MIN_SILENCE  # how long all bodies may go without a reply
SESSIONS = 2
WELL_BEFORE_A_REPLY = 60.0  # seconds; the limit for the reply to a body is ten minutes


async def test_mails_that_wait_for_a_session_do_not_make_a_busy_relay_a_silent_one(
    events: Events,
) -> None:
    async with a_pair(sessions=SESSIONS) as pair:
        pair.first.script(At.BODY, Late(LATE))

        took = await pair.send_timed(10)

        assert took >= 5 * LATE  # the last one waited for a session for longer than any limit
        assert len(pair.first.ledger) == 10
        assert pair.second.ledger == []
        assert pair.first.most_open == SESSIONS
    assert events == []


async def test_the_silence_limit_is_not_learned_from_the_wait_for_a_session() -> None:
    async with a_pair(sessions=SESSIONS) as pair:
        pair.first.script(At.BODY, Late(LATE))
        await pair.send_timed(10)
        pair.first.clear_rules()
        pair.first.script(At.MAIL, Hang())

        took = await pair.send_timed()

        assert MIN_SILENCE <= took < 4 * LATE  # twice the longest wait would be eight times that
        assert len(pair.second.ledger) == 1


async def test_mails_that_wait_for_a_session_leave_a_relay_that_goes_down() -> None:
    async with a_pair(sessions=1) as pair:
        pair.first.script(At.CONNECT, Answer(421, "4.3.2 not now"))

        results = await pair.send(16)

        assert Counter(code_of(each) for each in results) == {421: 4, 250: 12}
        assert len(pair.second.ledger) == 12
        assert pair.first.sessions == 5 + 1, "the sixth was being opened as the fifth failed"


@pytest.mark.parametrize("at", [At.CONNECT, At.MAIL, At.DATA])
async def test_when_silence_is_detected_mails_without_a_session_are_given_up_too(
    at: At, events: Events
) -> None:
    async with a_pair(sessions=SESSIONS) as pair:
        pair.first.script(at, Hang())

        took = await pair.send_timed(16)

        assert MIN_SILENCE <= took < SOON
        assert len(pair.second.per_recipient) == len(pair.second.ledger) == 16
        assert pair.first.sessions == SESSIONS  # none was tried by itself
    assert [each["event"] for each in events] == ["relay is down"]


async def test_the_mail_of_a_probe_without_a_session_goes_to_another_relay(events: Events) -> None:
    async with a_pair(sessions=SESSIONS) as pair:
        answered = asyncio.Event()
        stuck = await fill_with_bodies(pair, until_set=answered)

        async with asyncio.timeout(WELL_BEFORE_A_REPLY):
            took = await pair.send_timed(4)
            await until(lambda: pair.relays.relays[0].seconds_until_try() == 0)
            took_probe = await pair.send_timed()

        assert took >= SILENT_BODIES / 2
        assert took_probe >= 2 * MIN_SILENCE  # two waits
        assert len(pair.second.ledger) == 5
        assert not any(each.done() for each in stuck)  # a mail is not sent twice
        assert len(pair.first.bodies) == SESSIONS
        assert [each["event"] for each in events] == ["relay is down"]
        answered.set()
        await asyncio.wait(stuck)


async def fill_with_bodies(
    pair: RelayPair, *, until_set: asyncio.Event
) -> list[asyncio.Task[object]]:
    """Make each session of the first relay send a body that has no answer until then."""
    pair.first.script(At.BODY, Hang(until=until_set))
    carrying = [asyncio.ensure_future(pair.send()) for _ in range(SESSIONS)]
    await until(lambda: len(pair.first.bodies) == SESSIONS)
    return [*carrying]


async def test_a_relay_that_needs_long_for_bodies_gets_that_time(events: Events) -> None:
    async with a_pair(sessions=SESSIONS) as pair:
        pair.first.script(At.BODY, Late(0.75 * SILENT_BODIES), nth=1)
        pair.first.script(At.BODY, Late(1.25 * SILENT_BODIES))
        await pair.send_timed()

        await pair.send_timed(4)

        assert len(pair.first.ledger) == 5
    assert events == []


async def test_sessions_that_wait_for_the_fence_do_not_make_the_relay_silent(
    events: Events,
) -> None:
    opened = asyncio.Event()

    async def slow_fence() -> permit.Permit:
        await opened.wait()
        return permit.Permit(until=time.monotonic() + 30, date=NOW)

    async with a_pair(sessions=SESSIONS) as pair:
        mails = [a_mail(recipient=f"r{number}@example.org") for number in range(6)]
        carrying = asyncio.gather(*[pair.relays.send(mail, slow_fence) for mail in mails])
        asyncio.get_running_loop().call_later(1.5 * SILENT_BODIES, opened.set)
        result = await carrying

        assert {code_of(each) for each in result} == {250}
        assert len(pair.first.ledger) == 6
    assert events == []


async def test_a_mail_is_reported_to_have_a_session_when_no_other_mail_blocks_it() -> None:
    async with a_pair(sessions=1) as pair:
        stuck = asyncio.Event()
        pair.first.script(At.BODY, Hang(until=stuck), nth=1)
        has_session: list[str] = []
        first = asyncio.create_task(
            pair.pool.send(a_mail(), GrantPermit(), on_session=lambda: has_session.append("first"))
        )
        await until(lambda: pair.first.bodies)
        second = asyncio.create_task(
            pair.pool.send(a_mail(), GrantPermit(), on_session=lambda: has_session.append("second"))
        )
        await asyncio.wait({second}, timeout=MIN_SILENCE)
        before = [*has_session]
        stuck.set()
        await asyncio.gather(first, second)

    assert before == ["first"]
    assert has_session == ["first", "second"]
