"""A pause shuts the gate to claims, and the transport to bodies that have not begun."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from gcsched.domain.checks import require_valid
from gcsched.domain.mail import Mail
from gcsched.domain.pause import Pause, parse_optional_by, parse_pause
from gcsched.domain.smtp_reply import Answered, Reply, Stage, Withheld
from gcsched.errors import InvalidRequest, StoreUnavailable
from gcsched.usecases.ports import Begin, SendResult
from gcsched.usecases.relays.sending_pause import PausableTransport
from tests.support.background import in_background
from tests.support.builders import NOW
from tests.support.mails import GrantPermit, a_mail
from tests.support.wait import until

PAUSE = Pause(by="ada", reason="the relay moves", start_time=NOW)
WITHHELD = SendResult(relay="", transmission=Withheld("sending is paused"))
CLAIM_LOST = SendResult(relay="first:25", transmission=Withheld("the claim was lost"))
TAKEN = SendResult(relay="first:25", transmission=Answered(Reply(stage=Stage.BODY, code=250)))
SOON = timedelta(seconds=5)


@dataclass
class FakePauseStore:
    """The store that all processes share; *is_away* makes it fail."""

    pause: Pause | None = None
    is_away: bool = False
    read_count: int = 0
    answers: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.answers.set()

    async def get(self) -> Pause | None:
        self.read_count += 1
        if self.is_away:
            raise StoreUnavailable("looking for a pause")
        seen = self.pause
        await self.answers.wait()
        return seen

    async def save(self, pause: Pause) -> Pause:
        self.pause = pause
        return pause

    async def delete(self) -> Pause | None:
        ended, self.pause = self.pause, None
        return ended


@dataclass
class FakeTransport:
    """A transport that sends every mail with a permit, and whose gate is open unless *busy*."""

    refunded: int = 0
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    goes_on: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.goes_on.set()

    async def send(self, mail: Mail, begin: Begin) -> SendResult:
        del mail
        self.reached.set()
        await self.goes_on.wait()
        return CLAIM_LOST if await begin() is None else TAKEN

    async def wait_open(self) -> None:
        self.reached.set()
        await self.goes_on.wait()

    async def grant(self, most: int) -> int:
        return most

    async def refund(self, count: int) -> None:
        self.refunded += count


@pytest.fixture
def store() -> FakePauseStore:
    return FakePauseStore()


@pytest.fixture
def transport() -> FakeTransport:
    return FakeTransport()


@pytest.fixture
def pausable(store: FakePauseStore, transport: FakeTransport) -> PausableTransport:
    return PausableTransport(transport, store)


async def is_open(pausable: PausableTransport) -> bool:
    waiting = asyncio.ensure_future(pausable.wait_open())
    for _ in range(5):
        await asyncio.sleep(0)
    try:
        return waiting.done()
    finally:
        waiting.cancel()


async def test_nothing_is_claimed_before_the_pause_was_read(
    pausable: PausableTransport, store: FakePauseStore
) -> None:
    store.is_away = True
    await pausable.refresh()

    assert not await is_open(pausable)
    assert await pausable.grant(5) == 0
    assert pausable.is_paused is None


async def test_without_a_pause_all_mails_pass(
    pausable: PausableTransport, transport: FakeTransport
) -> None:
    await pausable.refresh()

    assert await is_open(pausable)
    assert await pausable.grant(5) == 5
    assert await pausable.send(a_mail(), GrantPermit()) == TAKEN
    await pausable.refund(3)
    assert transport.refunded == 3
    assert pausable.is_paused is False


async def test_a_pause_shuts_gate_and_transport(
    pausable: PausableTransport, transport: FakeTransport
) -> None:
    await pausable.refresh()

    assert await pausable.pause_sending(PAUSE, within=SOON) == PAUSE

    assert not await is_open(pausable)
    assert await pausable.grant(5) == 0
    assert await pausable.send(a_mail(), GrantPermit()) == WITHHELD
    assert not transport.reached.is_set()
    assert (pausable.is_paused, pausable.pause) == (True, PAUSE)


async def test_a_body_that_has_not_begun_when_the_pause_comes_does_not_begin(
    pausable: PausableTransport, transport: FakeTransport
) -> None:
    await pausable.refresh()
    transport.goes_on.clear()
    permit = GrantPermit()
    carrying = asyncio.ensure_future(pausable.send(a_mail(), permit))
    await transport.reached.wait()

    await pausable.pause_sending(PAUSE, within=SOON)
    transport.goes_on.set()

    assert await carrying == CLAIM_LOST
    assert permit.calls == 0


async def test_a_claim_that_waits_for_the_relay_waits_for_the_pause_too(
    pausable: PausableTransport, transport: FakeTransport
) -> None:
    await pausable.refresh()
    transport.goes_on.clear()
    waiting = asyncio.ensure_future(pausable.wait_open())
    await transport.reached.wait()
    await pausable.pause_sending(PAUSE, within=SOON)

    transport.goes_on.set()
    for _ in range(5):
        await asyncio.sleep(0)
    assert not waiting.done()
    await pausable.resume_sending("ada", within=SOON)

    await asyncio.wait_for(waiting, 5)


async def test_other_processes_read_the_pause_and_its_end(
    pausable: PausableTransport, store: FakePauseStore, transport: FakeTransport
) -> None:
    other = PausableTransport(transport, store)
    async with in_background(other.run):
        await until(lambda: other.is_paused is False)

        await pausable.pause_sending(PAUSE, within=SOON)
        await until(lambda: other.pause == PAUSE, within=3)
        await pausable.resume_sending("bob", within=SOON)

        await until(lambda: other.is_paused is False, within=3)


@pytest.mark.parametrize("pause", [PAUSE, None])
async def test_a_store_that_goes_away_leaves_the_pause_as_it_was(
    pausable: PausableTransport, store: FakePauseStore, pause: Pause | None
) -> None:
    store.pause = pause
    await pausable.refresh()

    store.is_away, store.pause = True, None
    await pausable.refresh()

    assert pausable.pause == pause
    assert await is_open(pausable) is (pause is None)


async def test_a_read_that_began_before_the_pause_does_not_undo_it(
    pausable: PausableTransport, store: FakePauseStore
) -> None:
    store.answers.clear()
    looking = asyncio.ensure_future(pausable.refresh())
    await until(lambda: store.read_count)

    await pausable.pause_sending(PAUSE, within=SOON)
    store.answers.set()
    await looking

    assert pausable.pause == PAUSE


async def test_resuming_without_a_pause_is_not_an_error(pausable: PausableTransport) -> None:
    assert await pausable.resume_sending("ada", within=SOON) is None
    assert await is_open(pausable)


async def test_the_caller_and_the_reason_are_logged_once(pausable: PausableTransport) -> None:
    with capture_logs() as logs:
        await pausable.pause_sending(PAUSE, within=SOON)
        await pausable.refresh()
        await pausable.resume_sending("bob", within=SOON)
        await pausable.refresh()

    reported = [{key: event[key] for key in event if key != "log_level"} for event in logs]
    reason = "the relay moves"
    assert reported == [
        {"event": "sending paused", "caller_by": "ada", "caller_reason": reason},
        {
            "event": "sending resumed",
            "caller_by": "ada",
            "caller_reason": reason,
            "caller_resumed_by": "bob",
        },
    ]


def test_a_pause_has_a_caller_and_a_reason() -> None:
    with pytest.raises(InvalidRequest) as raised:
        require_valid(parse_pause("", "x" * 257, start_time=NOW))

    assert [each.field for each in raised.value.violations] == ["by", "reason"]
    assert require_valid(parse_pause("ada", "the relay moves", start_time=NOW)) == PAUSE


def test_the_caller_of_resume_is_optional() -> None:
    assert (require_valid(parse_optional_by("")), require_valid(parse_optional_by("ada"))) == (
        "",
        "ada",
    )
    with pytest.raises(InvalidRequest):
        require_valid(parse_optional_by("x" * 129))
