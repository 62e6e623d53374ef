"""From a claim to its deliveries: suppressed addresses, full domains, and failures."""

import asyncio
from datetime import timedelta

import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs

from gcsched.domain.job import Job, State
from gcsched.domain.meeting_mail import MeetingMail
from gcsched.domain.meetings.claims import Objection
from gcsched.errors import StoreUnavailable
from tests.support.builders import (
    NOW,
    a_batch,
    a_claimed_job,
    a_conclusion,
    a_revision,
    a_suppression,
)
from tests.support.engines import (
    CountingGate,
    FakeMailer,
    FakeStore,
    SlowGate,
    an_engine,
)
from tests.support.wait import until


def jobs_for(*addresses: str) -> list[Job]:
    return [
        a_claimed_job(id=f"job-{number}", email=address, dedup_key=f"key-{number}")
        for number, address in enumerate(addresses, start=1)
    ]


async def test_a_suppressed_address_is_skipped_without_an_attempt(store: FakeStore) -> None:
    mailer = FakeMailer()
    store.suppressions = {"gone@example.org": a_suppression(address="gone@example.org")}
    store.due = jobs_for("gone@example.org", "ada@example.org")

    async with an_engine(store, mailer) as engine:
        await engine.claim_due()
        await until(lambda: len(store.concluded) == 2)

    gone, ada = store.concluded["job-1"], store.concluded["job-2"]
    assert (gone.state, gone.attempts, gone.dedup_key) == (State.SUPPRESSED, (), None)
    assert ada.state is State.SENT
    assert mailer.recipients == ["ada@example.org"]


async def test_jobs_above_the_limit_of_a_domain_are_given_back_with_their_grant(
    store: FakeStore,
) -> None:
    mailer, gate = FakeMailer(), CountingGate()
    store.due = jobs_for(*[f"{n}@example.org" for n in range(8)], "ada@example.com")

    async with an_engine(store, mailer, slots_per_domain=1, gate=gate) as engine:
        await engine.claim_due()
        await until(lambda: len(store.concluded) == 9)

    put_off = [job for job in store.concluded.values() if job.due_time > NOW]
    assert [job.state for job in put_off] == [State.SCHEDULED] * 3
    assert (len(mailer.recipients), gate.granted) == (6, 6)
    assert "ada@example.com" in mailer.recipients


async def test_a_job_that_must_not_be_sent_ends_however_many_wait_for_its_domain(
    store: FakeStore,
) -> None:
    store.suppressions = {"gone@example.org": a_suppression(address="gone@example.org")}
    store.due = jobs_for(*[f"{n}@example.org" for n in range(8)], "gone@example.org")

    async with an_engine(store, FakeMailer(), slots_per_domain=1) as engine:
        await engine.claim_due()
        await until(lambda: len(store.concluded) == 9)

    assert store.concluded["job-9"].state is State.SUPPRESSED


async def test_suppressions_are_read_once_per_batch_after_its_claim(store: FakeStore) -> None:
    addresses = [f"{n % 40}@example.org" for n in range(80)]
    store.due = jobs_for(*addresses)

    async with an_engine(store, FakeMailer()) as engine:
        await engine.claim_due()
        await until(lambda: len(store.concluded) == 80)

    requested = [what for what in store.calls if what != "conclude"]
    assert requested == ["claim", "find_active", "claim", "find_active", "claim"]
    assert store.looked_up == [set(addresses[:50]), set(addresses[50:])]


async def test_without_the_suppressions_the_batch_is_given_back(store: FakeStore) -> None:
    mailer = FakeMailer()
    store.due = jobs_for("ada@example.org", "bob@example.org")
    store.failures["find_active"] = 1

    async with an_engine(store, mailer) as engine:
        with pytest.raises(StoreUnavailable):
            await engine.claim_due()
        await until(lambda: len(store.concluded) == 2)

        assert engine.leases.job_count == 0
    assert {job.state for job in store.concluded.values()} == {State.SCHEDULED}
    assert mailer.recipients == []


async def test_any_failure_of_that_read_gives_the_batch_back(store: FakeStore) -> None:
    store.due = jobs_for("ada@example.org")
    store.defects["find_active"] = KeyError("reason")

    async with an_engine(store, FakeMailer()) as engine:
        with pytest.raises(KeyError):
            await engine.claim_due()
        await until(lambda: store.concluded)

    assert store.concluded["job-1"].state is State.SCHEDULED


async def test_nothing_is_claimed_if_the_room_went_while_the_gate_was_shut(
    store: FakeStore,
) -> None:
    store.due = jobs_for("ada@example.org")
    others = [a_claimed_job(id=f"other-{n}") for n in range(110)]
    gate = SlowGate()

    async with an_engine(store, FakeMailer(), gate=gate) as engine:
        gate.while_closed = lambda: engine.leases.add(a_batch(*others, claim="others"))
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(engine.claim_due())
            await until(lambda: gate.open_count)
            assert engine.leases.room < 0
            for _ in others:
                engine.leases.release(a_conclusion(claim="others"))
        await until(lambda: store.concluded)

    assert min(gate.requested) > 0
    assert store.concluded["job-1"].state is State.SENT


async def test_jobs_of_a_claim_without_an_answer_are_released_before_the_next(
    store: FakeStore,
) -> None:
    store.failures = {"claim": 1, "release": 1}
    store.due = jobs_for("ada@example.org")

    async with an_engine(store, FakeMailer()) as engine:
        for _ in ("claim", "release"):
            with pytest.raises(StoreUnavailable):
                await engine.claim_due()
        await engine.claim_due()
        await until(lambda: store.concluded)

    assert store.released == store.tokens[:1]
    assert store.calls[:2] == ["release", "claim"]


def invitations_for(*addresses: str) -> list[Job]:
    return [
        replace(each, meeting=MeetingMail(revision=a_revision())) for each in jobs_for(*addresses)
    ]


def a_plain_mail_and_an_invitation() -> list[Job]:
    [plain], [invitation] = jobs_for("ada@example.org"), invitations_for("eve@example.org")
    return [plain, replace(invitation, id="job-2")]


async def test_the_meetings_of_a_batch_are_checked_before_its_mails_leave(store: FakeStore) -> None:
    store.due = a_plain_mail_and_an_invitation()

    async with an_engine(store, FakeMailer()) as engine:
        await engine.claim_due()
        await until(lambda: len(store.concluded) == 2)

    assert store.checked == ["job-2"]
    assert [each for each in store.calls if each != "conclude"][:3] == [
        *("claim", "find_active", "check")
    ]


async def test_no_meeting_is_read_for_mails_without_one(store: FakeStore) -> None:
    store.due = jobs_for("ada@example.org")

    async with an_engine(store, FakeMailer()) as engine:
        await engine.claim_due()
        await until(lambda: len(store.concluded) == 1)

    assert "check" not in store.calls


async def test_a_mail_that_its_meeting_does_not_want_ends_without_a_conversation(
    store: FakeStore,
) -> None:
    mailer, noticed = FakeMailer(), list[str]()
    store.due = a_plain_mail_and_an_invitation()
    store.objections["job-2"] = Objection(reason="the meeting was cancelled", is_final=True)

    with capture_logs() as events:
        async with an_engine(store, mailer, on_objection=noticed.append) as engine:
            await engine.claim_due()
            await until(lambda: len(store.concluded) == 2)
            assert engine.leases.job_count == 0

    ended = store.concluded["job-2"]
    assert (ended.state, ended.reason) == (State.CANCELLED, "the meeting was cancelled")
    assert (ended.dedup_key, ended.released_key, ended.attempts) == (None, "key-1", ())
    assert mailer.recipients == ["ada@example.org"]
    assert noticed == [a_revision().meeting_id]
    [event] = [each for each in events if each["event"] == "job superseded"]
    assert (event["job_id"], event["reason"]) == ("job-2", "the meeting was cancelled")


async def test_a_mail_that_shows_an_old_revision_waits_until_its_meeting_was_looked_at(
    store: FakeStore,
) -> None:
    mailer, noticed = FakeMailer(), list[str]()
    store.due = a_plain_mail_and_an_invitation()
    store.objections["job-2"] = Objection(reason="superseded by revision 2", is_final=False)

    async with an_engine(store, mailer, on_objection=noticed.append) as engine:
        await engine.claim_due()
        await until(lambda: len(store.concluded) == 2)

    waiting = store.concluded["job-2"]
    assert (waiting.state, waiting.due_time) == (State.SCHEDULED, NOW + timedelta(seconds=10))
    assert mailer.recipients == ["ada@example.org"]
    assert noticed == [a_revision().meeting_id]


async def test_an_invitation_whose_meeting_cannot_be_checked_waits_and_others_leave(
    store: FakeStore,
) -> None:
    mailer, noticed = FakeMailer(), list[str]()
    store.due = a_plain_mail_and_an_invitation()
    store.failures["check"] = 1

    async with an_engine(store, mailer, on_objection=noticed.append) as engine:
        await engine.claim_due()
        await until(lambda: len(store.concluded) == 2)
        assert engine.leases.job_count == 0

    assert noticed == []
    invitation = store.concluded["job-2"]
    assert (invitation.state, invitation.attempts) == (State.SCHEDULED, ())
    assert invitation.due_time == NOW + timedelta(seconds=10)
    assert mailer.recipients == ["ada@example.org"]
