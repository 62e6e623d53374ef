"""A relay that repeats names and subjects: the log hides them, and GetJob returns them."""

import base64
from collections.abc import Iterator
from io import StringIO

import pytest
import structlog

from gcsched.adapters.mail.composer import Composer
from gcsched.domain.job import Job
from gcsched.domain.mail import Mail
from gcsched.logs import configure
from gcsched.pb import task_pb2
from tests.support.in_process_app import make_settings, running_app
from tests.support.relay.server import Answer, At, Relay
from tests.support.service_process import a_meet, scheduler_stub
from tests.support.wait import until

NAME, SUBJECT = "Zoë Quackenbush", "Kündigungsgespräch am Waldsee"
REPLY_TEXT = (
    f"5.7.1 <zoe.q@example.org>: message '{SUBJECT}' for QUACKENBUSH, Zoë"
    f" ({base64.b64encode(SUBJECT.encode()).decode()}) looks like spam"
)
PRIVATE = ("zoe.q", "zoë", "quackenbush", "kündigung", "waldsee", "s8o8bmRpZ3Vu".lower())


@pytest.fixture
def log() -> Iterator[StringIO]:
    stream = StringIO()
    configure("json", "DEBUG", stream)
    yield stream
    structlog.reset_defaults()


@pytest.mark.parametrize("code", [550, 450, 421])
async def test_a_refusal_is_logged_without_the_private_text_it_repeats_and_stored_with_it(
    mongo_uri: str, redis_url: str, log: StringIO, code: int
) -> None:
    text = f"{code // 100}{REPLY_TEXT[1:]}"
    async with Relay() as relay:
        relay.script(At.BODY, Answer(code, text))
        settings = make_settings(mongo=mongo_uri, redis=redis_url, relay_port=relay.port)
        async with running_app(settings) as app, scheduler_stub(app.target) as stub:
            meet = a_meet(empName=NAME, message=SUBJECT, emailID="zoe.q@example.org")
            reply = await stub.ScheduleMeet(meet)
            await until(lambda: "job failed" in log.getvalue() or "postponed" in log.getvalue())
            job = await stub.GetJob(task_pb2.GetJobRequest(job_id=reply.job_id))

    assert "looks like spam" in log.getvalue()
    assert not [each for each in PRIVATE if each in log.getvalue().lower()]
    assert SUBJECT in job.attempts[0].text


async def test_a_defect_is_logged_with_its_traceback_and_without_the_private_text_in_it(
    mongo_uri: str, redis_url: str, log: StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    def compose(_: Composer, job: Job) -> Mail:
        raise RuntimeError(f"cannot encode {job.message!r} for {job.name}")

    monkeypatch.setattr(Composer, "compose", compose)
    settings = make_settings(mongo=mongo_uri, redis=redis_url, relay_port=9)
    async with running_app(settings) as app, scheduler_stub(app.target) as stub:
        await stub.ScheduleMeet(a_meet(empName=NAME, message=SUBJECT))
        await until(lambda: "delivery crashed" in log.getvalue())

    [crash] = [line for line in log.getvalue().splitlines() if "delivery crashed" in line]
    assert "in compose" in crash
    assert "RuntimeError: cannot encode '(hidden)' for (hidden)" in crash
    assert not [each for each in PRIVATE if each in log.getvalue().lower()]
