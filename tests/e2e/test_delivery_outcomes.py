"""How a job ends whose relay refuses the mail, postpones it or falls silent; both policies."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from gcsched.adapters.mongo.codec import encode
from gcsched.pb import task_pb2
from tests.support.builders import a_job
from tests.support.in_process_app import RunningApp, make_settings, running_app
from tests.support.relay.server import Answer, At, LoseReply, Relay
from tests.support.rows import Row
from tests.support.service_process import a_meet, scheduler_stub
from tests.support.wait import until

GONE = "gone@example.org"
NO_SUCH_USER = Answer(550, "5.1.1 <gone@example.org>: no such user")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedApp:
    """A running application with a relay, and the steps that the tests take with them."""

    app: RunningApp
    relay: Relay

    async def schedule(self, request: task_pb2.MeetRequest) -> str:
        async with scheduler_stub(self.app.target) as stub:
            return str((await stub.ScheduleMeet(request)).job_id)

    async def job(self, job_id: str) -> Row:
        found = await self.app.resources.mongo.jobs.find_one({"_id": job_id})
        assert found is not None
        return found

    async def wait_for_state(self, job_id: str, state: str) -> Row:
        """Wait until the job is in *state*; return its document."""

        async def find_in_state() -> Row | None:
            found = await self.job(job_id)
            return found if found["state"] == state else None

        found = await until(find_in_state)
        assert found is not None
        return found

    async def suppressions(self) -> list[Row]:
        return await self.app.resources.mongo.suppressions.find().to_list(None)


@pytest.fixture
async def service(mongo_uri: str, redis_url: str, on_uncertain: str) -> AsyncIterator[ServedApp]:
    async with Relay() as relay:
        settings = make_settings(
            mongo=mongo_uri,
            redis=redis_url,
            relay_port=relay.port,
            retry_waits_seconds="0.1",
            on_uncertain=on_uncertain,
        )
        async with running_app(settings) as app:
            yield ServedApp(app=app, relay=relay)
        assert relay.violations == []


async def test_after_an_unknown_recipient_the_next_mail_is_suppressed_without_an_attempt(
    service: ServedApp,
) -> None:
    service.relay.script(At.RCPT, NO_SUCH_USER, to=GONE)

    first = await service.wait_for_state(await service.schedule(a_meet(1, emailID=GONE)), "FAILED")
    sent_commands = len(service.relay.commands)
    second = await service.wait_for_state(
        await service.schedule(a_meet(2, emailID="gone@EXAMPLE.org")), "SUPPRESSED"
    )

    [suppression] = await service.suppressions()
    assert (suppression["_id"], suppression["job_id"]) == (GONE, first["_id"])
    assert suppression["until"] - suppression["since"] == timedelta(days=30)
    assert len(service.relay.commands) == sent_commands
    assert (second["attempts"], second["attempt"]) == ([], 0)
    assert "550 5.1.1 at RCPT: <gone@example.org>: no such user" in second["reason"]


async def test_a_failed_or_suppressed_mail_may_be_requested_again(
    service: ServedApp,
) -> None:
    service.relay.script(At.RCPT, NO_SUCH_USER, to=GONE)
    first = await service.schedule(a_meet(1, emailID=GONE))
    await service.wait_for_state(first, "FAILED")

    second = await service.schedule(a_meet(1, emailID=GONE))
    ended = await service.wait_for_state(second, "SUPPRESSED")
    third = await service.schedule(a_meet(1, emailID=GONE))

    assert len({first, second, third}) == 3
    assert "dedup_key" not in ended
    assert ended["delete_after"] - ended["since"] == timedelta(days=30)


@pytest.mark.parametrize(
    ("at", "answer"),
    [
        (At.BODY, Answer(554, "5.7.1 spam")),
        (At.BODY, Answer(552, "5.3.4 too large")),
        (At.RCPT, Answer(550, "5.7.1 not from you")),
    ],
    ids=["spam", "too large", "policy"],
)
async def test_a_refusal_that_is_not_about_the_address_adds_no_suppression(
    service: ServedApp, at: str, answer: Answer
) -> None:
    service.relay.script(at, answer, nth=1)

    failed = await service.wait_for_state(
        await service.schedule(a_meet(1, emailID="ada@example.org")), "FAILED"
    )
    sent = await service.wait_for_state(
        await service.schedule(a_meet(2, emailID="ada@example.org")), "SENT"
    )

    assert failed["reason"].startswith(str(answer.code))
    assert sent["attempt"] == 1
    assert await service.suppressions() == []


async def test_a_greylisted_mail_is_retried_and_its_history_shows_both_attempts(
    service: ServedApp,
) -> None:
    service.relay.script(At.RCPT, Answer(450, "4.2.0 greylisted"), nth=1)

    sent = await service.wait_for_state(await service.schedule(a_meet(1)), "SENT")

    assert sent["attempt"] == 2
    assert [
        (each["kind"], each["code"], each["enhanced"], each["text"]) for each in sent["attempts"]
    ] == [
        ("LATER", 450, "4.2.0", "450 4.2.0 at RCPT: greylisted"),
        ("ACCEPTED", 250, "2.0.0", sent["attempts"][1]["text"]),
    ]
    for each in sent["attempts"]:
        assert each["relay"] == f"127.0.0.1:{service.relay.port}"
        assert each["begun"] <= each["ended"]
    assert len(service.relay.ledger) == 1


async def test_a_job_after_its_expire_time_expires_without_an_attempt(service: ServedApp) -> None:
    """This happens after an outage that lasts beyond the expire time."""
    now = datetime.now(UTC).replace(microsecond=0)
    late = a_job(email="late@example.org", due_time=now, expire_time=now - timedelta(seconds=1))
    await service.app.resources.mongo.jobs.insert_one(encode(late))

    await service.schedule(a_meet(1))  # its wake-up makes the service claim both
    expired = await service.wait_for_state("job-1", "EXPIRED")

    await until(lambda: service.relay.ledger)
    assert [kept.recipient for kept in service.relay.ledger] == ["1-1672531200@bench.test"]
    assert (expired["attempts"], "dedup_key" in expired) == ([], False)
    assert expired["reason"] == f"not sent by {late.expire_time.isoformat()}"


async def test_a_job_postponed_beyond_its_expire_time_expires_with_the_relays_reply(
    service: ServedApp,
) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    tight = a_job(email="tight@example.org", due_time=now, expire_time=now + timedelta(minutes=5))
    service.relay.script(At.RCPT, Answer(450, "4.2.0 wait 10 minutes"), to="tight@example.org")
    await service.app.resources.mongo.jobs.insert_one(encode(tight))

    await service.schedule(a_meet(1))  # its wake-up makes the service claim both
    expired = await service.wait_for_state("job-1", "EXPIRED")

    assert (expired["attempt"], len(expired["attempts"])) == (1, 1)
    assert expired["reason"].endswith("last attempt: 450 4.2.0 at RCPT: wait 10 minutes")


@pytest.mark.parametrize("on_uncertain", ["resend"], indirect=True)
async def test_under_resend_a_lost_reply_makes_the_same_mail_leave_again(
    service: ServedApp,
) -> None:
    service.relay.script(At.BODY, LoseReply(), nth=1)

    sent = await service.wait_for_state(await service.schedule(a_meet(1)), "SENT")

    first, second = service.relay.ledger
    assert first.content == second.content
    assert first.header("Message-ID") == f"<{sent['message_id']}>"
    assert [each["kind"] for each in sent["attempts"]] == ["UNCERTAIN", "ACCEPTED"]


@pytest.mark.parametrize("on_uncertain", ["hold"], indirect=True)
async def test_under_hold_a_lost_reply_holds_that_mail_and_no_other(service: ServedApp) -> None:
    service.relay.script(At.BODY, LoseReply(), nth=1)
    job_id = await service.schedule(a_meet(1))
    await service.wait_for_state(job_id, "UNCERTAIN")

    await service.wait_for_state(await service.schedule(a_meet(2)), "SENT")

    held = await service.job(job_id)
    assert held["state"] == "UNCERTAIN"
    assert [each["kind"] for each in held["attempts"]] == ["UNCERTAIN"]
    assert [kept.recipient[0] for kept in service.relay.ledger] == ["1", "2"]


@pytest.mark.parametrize("answer", [Answer(503, "5.5.1 MAIL first"), Answer(500, "5.5.2 what")])
async def test_a_relay_that_is_out_of_sync_uses_up_no_attempt(
    service: ServedApp, answer: Answer
) -> None:
    service.relay.script(At.RCPT, answer, nth=1)  # pipelined: sent again at once
    service.relay.script(At.RCPT, answer, nth=2)  # without pipelining

    sent = await service.wait_for_state(await service.schedule(a_meet(1)), "SENT")

    assert sent["attempt"] == 1
    assert [each["kind"] for each in sent["attempts"]] == ["OURS", "ACCEPTED"]
