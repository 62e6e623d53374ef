"""A recipient domain whose mails hang does not hold up the mails for other domains."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from gcsched.adapters.smtp.pool import SmtpSessionPool
from gcsched.domain.mail import Mail
from gcsched.domain.smtp_reply import Transmission
from gcsched.usecases.ports import Begin
from tests.support.in_process_app import (
    RunningApp,
    make_settings,
    read_jobs,
    read_jobs_if_all_sent,
    running_app,
)
from tests.support.relay.server import Action, At, Hang, Moment, Relay
from tests.support.service_process import a_meet, scheduler_stub
from tests.support.wait import until

SLOW = "slow.test"
SLOTS = 2


@dataclass
class Tarpit:
    """A rule that lets every mail for SLOW hang after its final dot, until *over*."""

    over: asyncio.Event = field(default_factory=asyncio.Event)

    def __call__(self, moment: Moment) -> Action | None:
        is_slow = moment.at == At.BODY and moment.recipient.endswith(f"@{SLOW}")
        return Hang(self.over) if is_slow and not self.over.is_set() else None


@dataclass
class Conversations:
    """The number of conversations about mails for SLOW: at present, and at most."""

    now: int = 0
    most: int = 0

    @contextmanager
    def track(self) -> Iterator[None]:
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            yield
        finally:
            self.now -= 1


@pytest.fixture
def conversations(monkeypatch: pytest.MonkeyPatch) -> Conversations:
    tracked, send = Conversations(), SmtpSessionPool.send

    async def send_tracked(pool: SmtpSessionPool, mail: Mail, begin: Begin) -> Transmission:
        if not mail.recipient.endswith(f"@{SLOW}"):
            return await send(pool, mail, begin)
        with tracked.track():
            return await send(pool, mail, begin)

    monkeypatch.setattr(SmtpSessionPool, "send", send_tracked)
    return tracked


async def schedule(app: RunningApp, domain: str, count: int, *, first: int = 0) -> None:
    async with scheduler_stub(app.target) as stub:
        for number in range(first, first + count):
            request = a_meet(number, emailID=f"r{number}@{domain}")
            assert (await stub.ScheduleMeet(request)).success


def count_arrived(relay: Relay, domain: str) -> int:
    return sum(kept.recipient.endswith(f"@{domain}") for kept in relay.ledger)


@pytest.mark.parametrize("limits", [{}, {"smtp_rate": "200"}], ids=["no rate", "rate"])
async def test_a_domain_whose_mails_hang_does_not_hold_up_the_others(
    mongo_uri: str, redis_url: str, conversations: Conversations, limits: dict[str, Any]
) -> None:
    tarpit = Tarpit()
    async with Relay() as relay:
        relay.add_rule(tarpit)
        settings = make_settings(
            mongo=mongo_uri,
            redis=redis_url,
            relay_port=relay.port,
            smtp_sessions="3",
            smtp_sessions_per_domain=str(SLOTS),
            **limits,
        )
        async with running_app(settings) as app:
            await schedule(app, SLOW, 20)
            await until(lambda: conversations.now == SLOTS)
            await schedule(app, "quick.test", 40, first=20)
            await until(lambda: count_arrived(relay, "quick.test") == 40)
            postponed = [
                job for job in await read_jobs(app.resources) if job["due"] != job["due_at"]
            ]
            hanging = count_arrived(relay, SLOW)

            tarpit.over.set()
            # A postponed job is due again within a minute, however long the domain was slow.
            sent = await until(lambda: read_jobs_if_all_sent(app.resources), within=75)

    assert (hanging, conversations.most) == (SLOTS, SLOTS)
    assert len(relay.ledger) == len(relay.per_recipient) == len(sent) == 60
    assert {(job["attempt"], len(job["attempts"])) for job in sent} == {(1, 1)}
    assert {job["email"].partition("@")[2] for job in postponed} == {SLOW}
