"""One recipient domain whose mails hang, and the mails of the others meanwhile."""

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
    """Let every mail for SLOW hang at its dot until *over*."""

    over: asyncio.Event = field(default_factory=asyncio.Event)

    def __call__(self, moment: Moment) -> Action | None:
        is_meant = moment.at == At.BODY and moment.recipient.endswith(f"@{SLOW}")
        return Hang(self.over) if is_meant and not self.over.is_set() else None


@dataclass
class Conversations:
    """How many mails for SLOW were given to a relay at the same time."""

    now: int = 0
    most: int = 0

    @contextmanager
    def count_one(self) -> Iterator[None]:
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            yield
        finally:
            self.now -= 1


@pytest.fixture
def conversations(monkeypatch: pytest.MonkeyPatch) -> Conversations:
    counted, send = Conversations(), SmtpSessionPool.send

    async def counting(pool: SmtpSessionPool, mail: Mail, begin: Begin) -> Transmission:
        if not mail.recipient.endswith(f"@{SLOW}"):
            return await send(pool, mail, begin)
        with counted.count_one():
            return await send(pool, mail, begin)

    monkeypatch.setattr(SmtpSessionPool, "send", counting)
    return counted


async def ask(app: RunningApp, domain: str, count: int, *, begin: int = 0) -> None:
    async with scheduler_stub(app.target) as stub:
        for number in range(begin, begin + count):
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
            await ask(app, SLOW, 20)
            await until(lambda: conversations.now == SLOTS)
            await ask(app, "quick.test", 40, begin=20)
            await until(lambda: count_arrived(relay, "quick.test") == 40)
            meanwhile = [
                job for job in await read_jobs(app.resources) if job["due"] != job["due_at"]
            ]
            held_up = count_arrived(relay, SLOW)

            tarpit.over.set()
            # What was put off has a turn within a minute, however long the hanging took.
            sent = await until(lambda: read_jobs_if_all_sent(app.resources), within=75)

    assert (held_up, conversations.most) == (SLOTS, SLOTS)
    assert len(relay.ledger) == len(relay.per_recipient) == len(sent) == 60
    assert {(job["attempt"], len(job["attempts"])) for job in sent} == {(1, 1)}
    assert {job["email"].partition("@")[2] for job in meanwhile} == {SLOW}
