"""Internal addresses, quoted ones, and those that a relay cannot carry, from call to mail."""

from collections.abc import Iterator
from email import message_from_bytes, policy
from io import StringIO

import grpc
import pytest
import structlog

from gcsched.logs import configure
from gcsched.pb import task_pb2
from tests.support.in_process_app import make_settings, read_jobs_if_all_sent, running_app
from tests.support.relay.server import Answer, At, Relay
from tests.support.service_process import a_meet, scheduler_stub
from tests.support.wait import until

INTERNAL = {
    "user@corp.local": ("user", "corp.local"),
    "root@localhost": ("root", "localhost"),
    "ada@mailhost": ("ada", "mailhost"),
    "ada@printer.home.arpa": ("ada", "printer.home.arpa"),
    "ada@[192.0.2.1]": ("ada", "[192.0.2.1]"),
    "ada@[IPv6:2001:db8::1]": ("ada", "[IPv6:2001:db8::1]"),
    '"the boss"@corp.local': ("the boss", "corp.local"),
}
QUOTED = {
    '"ab..cd"@example.org': ("ab..cd", "example.org"),
    '"ada lovelace"@example.org': ("ada lovelace", "example.org"),
    '"say \\"hi\\""@example.org': ('say "hi"', "example.org"),
    '"a@b <c>"@example.org': ("a@b <c>", "example.org"),
}
ALLOWED = "corp.local,localhost,mailhost,home.arpa,[192.0.2.0/24],[IPv6:2001:db8::/32]"


@pytest.fixture
def log() -> Iterator[StringIO]:
    stream = StringIO()
    configure("json", "DEBUG", stream)
    yield stream
    structlog.reset_defaults()


async def test_every_form_of_address_is_mailed_to_listed_and_suppressed(
    mongo_uri: str, redis_url: str
) -> None:
    forms = INTERNAL | QUOTED
    sender = "team@[192.0.2.7]"
    async with Relay() as relay:
        settings = make_settings(
            mongo=mongo_uri,
            redis=redis_url,
            relay_port=relay.port,
            internal_domains=ALLOWED,
            sender_email=sender,
            smtp_sessions_per_domain="1",
        )
        async with running_app(settings) as app, scheduler_stub(app.target) as stub:
            for address in forms:
                assert (await stub.ScheduleMeet(a_meet(emailID=address, reply_to=address))).success
            await until(lambda: len(relay.ledger) == len(forms))
            await until(lambda: read_jobs_if_all_sent(app.resources))
            for address in forms:
                by_address = task_pb2.JobFilter(email=address)
                listed = await stub.ListJobs(task_pb2.ListJobsRequest(filter=by_address))
                assert [job.email for job in listed.jobs] == [address]
                await stub.AddSuppression(
                    task_pb2.AddSuppressionRequest(email=address, reason="asked for it")
                )
                another = a_meet(emailID=address, message="Another")
                assert (await stub.ScheduleMeet(another)).success
            suppressed = task_pb2.JobFilter(state="SUPPRESSED")
            request = task_pb2.CountJobsRequest(filter=suppressed)

            async def all_are_suppressed() -> bool:
                return bool((await stub.CountJobs(request)).count == len(forms))

            await until(all_are_suppressed)

    assert relay.violations == []
    assert {kept.recipient for kept in relay.ledger} == {form.lower() for form in forms}
    assert {kept.sender for kept in relay.ledger} == {sender}
    found = set()
    for kept in relay.ledger:
        message = message_from_bytes(kept.content, policy=policy.default)
        (to,), (reply_to,) = message["to"].addresses, message["reply-to"].addresses
        assert (to.username, to.domain) == (reply_to.username, reply_to.domain)
        assert message["message-id"].rpartition("@")[2] == "192.0.2.7>"
        found.add((to.username, to.domain))
    assert found == set(forms.values())


async def test_internal_addresses_are_refused_unless_allowed_and_can_be_searched_for(
    mongo_uri: str, redis_url: str
) -> None:
    settings = make_settings(mongo=mongo_uri, redis=redis_url, relay_port=9)
    async with running_app(settings) as app, scheduler_stub(app.target) as stub:
        for address in INTERNAL:
            for meet in (a_meet(emailID=address), a_meet(reply_to=address)):
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await stub.ScheduleMeet(meet)

                assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
                assert "GCSCHED_INTERNAL_DOMAINS" in str(caught.value.details())
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await stub.AddSuppression(
                    task_pb2.AddSuppressionRequest(email=address, reason="a slip of the pen")
                )
            assert "GCSCHED_INTERNAL_DOMAINS" in str(caught.value.details())
            by_address = task_pb2.JobFilter(email=address)
            assert not (await stub.ListJobs(task_pb2.ListJobsRequest(filter=by_address))).jobs


async def test_two_spellings_of_a_quoted_address_are_one_request(
    mongo_uri: str, redis_url: str
) -> None:
    settings = make_settings(mongo=mongo_uri, redis=redis_url, relay_port=9)
    async with running_app(settings) as app, scheduler_stub(app.target) as stub:
        for one, other in (
            ("ada@example.org", '"ada"@example.org'),
            ('"a b"@example.org', '"\\a\\ b"@Example.ORG'),
        ):
            first = await stub.ScheduleMeet(a_meet(emailID=one))
            again = await stub.ScheduleMeet(a_meet(emailID=other))

            assert first.job_id == again.job_id


@pytest.mark.parametrize("address", [*INTERNAL, *QUOTED])
async def test_an_address_that_a_relay_repeats_is_not_logged(
    mongo_uri: str, redis_url: str, log: StringIO, address: str
) -> None:
    async with Relay() as relay:
        relay.script(At.RCPT, Answer(550, f"5.1.1 <{address}>: {address} is unknown here"))
        settings = make_settings(
            mongo=mongo_uri, redis=redis_url, relay_port=relay.port, internal_domains="*"
        )
        async with running_app(settings) as app, scheduler_stub(app.target) as stub:
            reply = await stub.ScheduleMeet(a_meet(emailID=address))
            await until(lambda: "job failed" in log.getvalue())
            job = await stub.GetJob(task_pb2.GetJobRequest(job_id=reply.job_id))

    assert address in job.attempts[0].text
    assert f"@{address.rpartition('@')[2]}" not in log.getvalue()
    assert not [word for word in ("lovelace", "ab..cd", "boss") if word in log.getvalue()]


async def test_a_reply_to_address_that_a_relay_cannot_carry_fails_no_mail(
    mongo_uri: str, redis_url: str, log: StringIO
) -> None:
    async with Relay(offers=frozenset({"PIPELINING", "8BITMIME"})) as relay:
        settings = make_settings(mongo=mongo_uri, redis=redis_url, relay_port=relay.port)
        async with running_app(settings) as app, scheduler_stub(app.target) as stub:
            sent = await stub.ScheduleMeet(a_meet(reply_to="bøb.quux@example.org"))
            failed = await stub.ScheduleMeet(a_meet(emailID="zoë@example.org"))
            await until(lambda: '"job sent"' in log.getvalue())
            await until(lambda: '"job failed"' in log.getvalue())
            jobs = [
                await stub.GetJob(task_pb2.GetJobRequest(job_id=each.job_id))
                for each in (sent, failed)
            ]

    (kept,) = relay.ledger
    assert b"Reply-To" not in kept.content
    assert "sent without Reply-To bøb.quux@example.org" in jobs[0].attempts[0].text
    assert "zoë@example.org needs" in jobs[1].reason
    [line] = [line for line in log.getvalue().splitlines() if "mail changed for the relay" in line]
    assert sent.job_id in line
    assert "sent without Reply-To (address)" in line
    assert not [each for each in ("bøb", "quux", "zoë") if each in log.getvalue()]
