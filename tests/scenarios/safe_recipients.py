"""Random requests with every feature, to a service that must not mail most of their recipients.

`run` stores some jobs by a process without the setting, starts one with it, sends the rest of the
requests through every entrance, and compares each RCPT TO with addresses that are known beforehand.
"""

import asyncio
import shutil
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.header import decode_header, make_header
from email.utils import getaddresses
from pathlib import Path
from typing import Any

import grpc

from gcsched.adapters.mail.template_folder import default_folder
from gcsched.pb import task_pb2
from tests.scenarios.random_requests import (
    RESTRICTIONS,
    Refusals,
    Requests,
    as_envelope,
    is_accepted,
    may_get_mail,
)
from tests.support.in_process_app import RunningApp, make_settings, read_jobs, running_app
from tests.support.relay.script import At, KeptMail, Moment, repeatable
from tests.support.relay.server import Relay
from tests.support.service_process import Stub, scheduler_stub
from tests.support.wait import until

Figures = dict[str, Any]
WAITING = ("QUEUED", "SCHEDULED", "SENDING", "RETRYING")
EARLIER_SHARE, BATCH = 0.2, 50
SUPPRESSED = "suppressed@safe.test"
SPEED = {
    "retry_attempts": "3",
    "retry_waits_seconds": "0.05",
    "test_recipients": "safe.test,evil.test,bücher.test",
}


@dataclass(kw_only=True)
class Run:
    """One run: what was sent, and what was not as it should be."""

    restriction: str
    requests: Requests
    problems: list[str] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)
    sent: int = 0

    async def store_earlier(self, app: RunningApp, count: int) -> None:
        """Store jobs while sending is paused, as a process without the setting does."""
        async with scheduler_stub(app.target) as stub:
            pause = task_pb2.PauseSendingRequest(by="test", reason="before")
            await stub.PauseSending(pause)
            await stub.AddSuppression(
                task_pb2.AddSuppressionRequest(
                    email=SUPPRESSED,
                    reason="asked for it",
                    expire_time=datetime.now(UTC) + timedelta(days=1),
                )
            )
            self.sent += count
            for part in split(count, BATCH):
                batch = [self.requests.make() for _ in range(part)]
                await stub.BatchScheduleMeets(task_pb2.BatchScheduleMeetsRequest(requests=batch))
        self.answers["stored earlier"] = await app.resources.mongo.jobs.count_documents({})

    async def call_all(self, stub: Stub, count: int) -> None:
        """Send *count* requests, through every entrance that a mail has."""
        await stub.ResumeSending(task_pb2.ResumeSendingRequest(by="test"))
        self.sent += count
        for part in split(count, BATCH):
            made = [self.requests.make() for _ in range(part)]
            third = max(1, part // 3)
            await self._send_batch(stub, made[2 * third :])
            await asyncio.gather(*(self._send_one(stub, each) for each in made[:third]))
            await asyncio.gather(*(self._send_test(stub, each) for each in made[third : 2 * third]))

    async def _send_batch(self, stub: Stub, requests: Sequence[task_pb2.MeetRequest]) -> None:
        batch = task_pb2.BatchScheduleMeetsRequest(requests=requests)
        answers = (await stub.BatchScheduleMeets(batch)).answers
        for request, answer in zip(requests, answers, strict=True):
            self._record("batch", request.emailID, is_ok=answer.HasField("response"))

    async def _send_one(self, stub: Stub, request: task_pb2.MeetRequest) -> None:
        try:
            await stub.ScheduleMeet(request)
        except grpc.aio.AioRpcError as error:
            self._record_error("unary", request.emailID, error)
        else:
            self._record("unary", request.emailID, is_ok=True)

    async def _send_test(self, stub: Stub, request: task_pb2.MeetRequest) -> None:
        test = task_pb2.SendTestMailRequest(
            template=request.template,
            variables=request.variables,
            empid=request.empid,
            email=request.emailID,
            name=request.empName,
            message=request.message,
            request_id=f"T{self.requests.number}-{id(request)}",
        )
        try:
            await stub.SendTestMail(test)
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.INVALID_ARGUMENT:
                self.problems.append(f"test mail: {error.code().name} {error.details()}")
            self.answers["test mail refused"] += 1
        else:
            self._record("test mail", request.emailID, is_ok=True)

    def _record_error(self, entrance: str, email: str, error: grpc.aio.AioRpcError) -> None:
        if error.code() is not grpc.StatusCode.INVALID_ARGUMENT:
            self.problems.append(f"{entrance}: {error.code().name} {error.details()}")
        self._record(entrance, email, is_ok=False)

    def _record(self, entrance: str, email: str, *, is_ok: bool) -> None:
        self.answers[f"{entrance} {'accepted' if is_ok else 'refused'}"] += 1
        if is_ok != is_accepted(self.restriction, email):
            self.problems.append(f"{entrance}: {email} was {'accepted' if is_ok else 'refused'}")


def split(count: int, size: int) -> Iterable[int]:
    return (min(size, count - start) for start in range(0, count, size))


async def finish_all(app: RunningApp, stub: Stub) -> None:
    """Run the daily queue until no job waits, retry all that failed, and wait again."""

    async def is_idle() -> bool:
        return await app.resources.mongo.jobs.count_documents({"state": {"$in": WAITING}}) == 0

    for _ in range(2):
        await stub.RunDailyQueue(task_pb2.RunDailyQueueRequest())
        await until(is_idle, within=300)
        await stub.RetryJobs(task_pb2.ChangeJobsRequest(all=True))
    await until(is_idle, within=300)


def write_templates(folder: Path) -> Path:
    """Write the default template, and one with a variable of its own and no text part."""
    shutil.copytree(default_folder(), folder / "letters", dirs_exist_ok=True)
    room = "<html><body><p>{{ username }} ({{ email }}): {{ room }}</p></body></html>"
    (folder / "letters" / "room.html").write_text(room, "utf-8")
    return folder / "letters"


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """The empty stores of one run, and a folder for its templates."""

    mongo: str
    redis: str
    folder: Path


async def run(restriction: str, used: Surroundings, *, count: int, seed: int = 1) -> Figures:
    """Send *count* random requests under *restriction*; `problems` names what was wrong."""
    state = Run(restriction=restriction, requests=Requests(chance=repeatable(seed)))
    earlier = int(count * EARLIER_SHARE)
    async with Relay() as relay:
        envelope = set[str]()

        def record_recipient(moment: Moment) -> None:
            if moment.at == At.RCPT:
                envelope.add(moment.recipient)

        relay.add_rule(record_recipient)
        relay.add_rule(Refusals(chance=repeatable(f"relay {seed}")))
        common = {"templates_dir": str(write_templates(used.folder)), **SPEED}

        def settings(**others: str) -> Any:
            return make_settings(
                mongo=used.mongo, redis=used.redis, relay_port=relay.port, **common, **others
            )

        async with running_app(settings()) as app:
            await state.store_earlier(app, earlier)
        async with (
            running_app(settings(**RESTRICTIONS[restriction])) as app,
            scheduler_stub(app.target) as stub,
        ):
            await state.call_all(stub, count - earlier)
            await finish_all(app, stub)
            jobs = await read_jobs(app.resources)
            suppressed = [
                row["_id"] async for row in app.resources.mongo.suppressions.find({}, {"_id": 1})
            ]
        return make_figures(state, jobs, relay, envelope, suppressed)


def make_figures(
    state: Run,
    jobs: Sequence[dict[str, Any]],
    relay: Relay,
    envelope: set[str],
    suppressed: Sequence[str],
) -> Figures:
    outside = sorted(each for each in envelope if not may_get_mail(state.restriction, each))
    problems = [*state.problems, *(f"RCPT TO:<{each}>" for each in outside), *relay.violations]
    jobs_by_id = {str(job["_id"]): job for job in jobs}
    is_redirected = "redirect_to" in RESTRICTIONS[state.restriction]
    for mail in relay.ledger if is_redirected else ():
        problems += find_header_problems(mail, jobs_by_id)
    if is_redirected and suppressed != [SUPPRESSED]:
        problems.append(f"suppressed: {suppressed}")
    problems += [problem for job in jobs if (problem := find_job_problem(state.restriction, job))]
    return {
        "requests": state.sent,
        "different_requests": state.requests.number,
        "answers": dict(sorted(state.answers.items())),
        "recipients_in_envelopes": len(envelope),
        "recipients_outside": len(outside),
        "mails": len(relay.ledger),
        "commands_refused_or_broken": len(relay.applied_actions),
        "states": dict(sorted(Counter(job["state"] for job in jobs).items())),
        "jobs_failed_as_not_allowed": sum(
            "GCSCHED_ALLOWED_RECIPIENTS" in job.get("reason", "") for job in jobs
        ),
        "addresses_suppressed_by_refusals": len(suppressed) - 1,
        "problems": problems[:20],
    }


def find_header_problems(mail: KeptMail, jobs: dict[str, dict[str, Any]]) -> list[str]:
    """Compare the headers about people with the job that Message-ID names."""
    to = [address for _, address in getaddresses([mail.header("To")])]
    job_id = mail.header("Message-ID").strip("<>").partition("@")[0]
    shown = decode(mail.header("X-Original-To"))
    replies = decode(mail.header("X-Original-Reply-To"))
    reply_to = jobs[job_id].get("reply_to") or ""
    is_right = (
        shown == as_envelope(jobs[job_id]["email"])
        and to == [mail.recipient]
        and not mail.header("Reply-To")
        and replies == (as_envelope(reply_to) if reply_to else "")
    )
    if is_right:
        return []
    answers = f"X-Original-Reply-To {replies}, Reply-To {mail.header('Reply-To')}"
    return [f"headers of {job_id}: To {to}, X-Original-To {shown}, {answers}"]


def decode(header: str) -> str:
    return str(make_header(decode_header(header)))


def find_job_problem(restriction: str, job: dict[str, Any]) -> str:
    """Return what is wrong with the end of *job*."""
    is_right = is_accepted(restriction, job["email"])
    if is_right == ("GCSCHED_ALLOWED_RECIPIENTS" in job.get("reason", "")):
        return f"{job['email']} ended {job['state']}: {job.get('reason')}"
    if not is_right and job.get("attempts"):
        return f"{job['email']} has attempts"
    return ""
