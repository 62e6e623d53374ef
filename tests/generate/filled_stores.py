"""Fill stores with the service of another commit; write them and its answers to a file.

    python -m tests.generate.filled_stores --old COMMIT --out tests/rpc/stores_of_COMMIT.json

There is a job in each state, a daily queue, suppressions, user details and a pause. The answers are
stored as on the wire, in base64, so that a later contract, whose names may differ, can parse them.
"""

import argparse
import asyncio
import base64
import json
import tempfile
import time
from collections.abc import Awaitable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from bson import json_util
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from pymongo import MongoClient

from gcsched.pb import task_pb2
from tests.support.ports import free_port
from tests.support.program_versions import other_version
from tests.support.relay.script import Action, Answer, At, Drop, Hang, LoseReply, Moment
from tests.support.relay.server import Relay
from tests.support.service_process import ServiceProcess, Stub, environment, scheduler_stub
from tests.support.stores import own_mongod, own_valkey
from tests.support.wait import until

State = task_pb2.Job.State
A_DAY, A_YEAR = 86_400, 365 * 86_400
SETTINGS = {
    # Indexes with a time to live delete the documents in ten years: write the file anew by then.
    "retention_days": "3650",
    "suppression_days": "3650",
    "on_uncertain": "hold",
    "retry_waits_seconds": "86400",
    "smtp_sessions": "4",
}
REPLIES: Mapping[str, tuple[At, Action]] = {
    "retrying": (At.RCPT, Answer(450, "4.2.0 greylisted")),
    "disconnected": (At.RCPT, Drop()),
    "failed": (At.RCPT, Answer(550, "5.1.1 no such user")),
    "policy": (At.RCPT, Answer(550, "5.7.1 not from you")),
    "uncertain": (At.BODY, LoseReply()),
    "resolved": (At.BODY, LoseReply()),
    "expired": (At.RCPT, Answer(450, "4.2.0 greylisted")),
    "sending": (At.BODY, Hang()),
}
"""Local part → where and how the relay handles its mails; it accepts all others."""


def follow_script(moment: Moment) -> Action | None:
    at, action = REPLIES.get(moment.recipient.partition("@")[0], (None, None))
    return action if moment.at == at else None


def a_request(name: str, *, timestamp: int = 1, **fields: Any) -> task_pb2.MeetRequest:
    """Make a request for the recipient *name*, due at *timestamp*; the default is due at once."""
    return task_pb2.MeetRequest(
        empid=f"E-{name}",
        emailID=f"{name}@Example.org",
        message=f"Meeting of {name}",
        empName=f"Person {name}",
        timestamp=timestamp,
        **fields,
    )


async def fill(stub: Stub) -> dict[str, str]:
    """Bring a job into each state; return the ids by the names of their recipients."""
    now, ids = int(time.time()), dict[str, str]()

    async def schedule(name: str, state: task_pb2.Job.State, **fields: Any) -> None:
        reply = await stub.ScheduleMeet(a_request(name, **fields))
        ids[name if name not in ids else f"{name} again"] = reply.job_id
        await wait_for_state(stub, reply.job_id, state)

    await schedule("queued", task_pb2.Job.QUEUED, timestamp=0)
    await schedule("moved", task_pb2.Job.QUEUED, timestamp=0, labels={"team": "blue"})
    await schedule(
        "scheduled",
        task_pb2.Job.SCHEDULED,
        timestamp=now + A_YEAR,
        not_after=now + A_YEAR + A_DAY,
        request_id="request-1",
        reply_to="team@example.org",
        labels={"team": "red"},
        variables={"note": "Bring your badge"},
        priority=task_pb2.URGENT,
    )
    await schedule("rescheduled", task_pb2.Job.SCHEDULED, timestamp=now + A_DAY)
    await stub.RescheduleJob(
        task_pb2.RescheduleJobRequest(job_id=ids["rescheduled"], timestamp=now + A_YEAR)
    )
    await schedule("cancelled", task_pb2.Job.SCHEDULED, timestamp=now + A_DAY)
    await stub.CancelJob(task_pb2.CancelJobRequest(job_id=ids["cancelled"], reason="postponed"))
    await schedule("sent", task_pb2.Job.SENT)
    await schedule("retrying", task_pb2.Job.RETRYING)
    await schedule("disconnected", task_pb2.Job.RETRYING)
    await schedule("failed", task_pb2.Job.FAILED)
    await schedule("failed", task_pb2.Job.SUPPRESSED, timestamp=2)
    await schedule("policy", task_pb2.Job.FAILED)
    await schedule("expired", task_pb2.Job.EXPIRED, not_after=now + 600)
    await schedule("uncertain", task_pb2.Job.UNCERTAIN)
    await schedule("resolved", task_pb2.Job.UNCERTAIN)
    await stub.ResolveJob(
        task_pb2.ResolveJobRequest(
            job_id=ids["resolved"], state=task_pb2.Job.SENT, reason="seen in the relay's log"
        )
    )
    await stub.AddSuppression(
        task_pb2.AddSuppressionRequest(
            email="Blocked@Example.org",
            reason="left the company",
            expire_time=Timestamp(seconds=now + 9 * A_YEAR),
        )
    )
    await schedule("sending", task_pb2.Job.SENDING)
    await until(lambda: "sending" in BODIES, within=30)  # it cannot be cancelled from then on
    await stub.PauseSending(task_pb2.PauseSendingRequest(by="Ada", reason="relay moves"))
    return ids


async def wait_for_state(stub: Stub, job_id: str, state: task_pb2.Job.State) -> None:
    async def has_state() -> bool:
        job = await stub.GetJob(task_pb2.GetJobRequest(job_id=job_id))
        return bool(job.state == state)

    await until(has_state, within=30)


BODIES: set[str] = set()
"""The local parts whose bodies the relay has read."""


def watch_bodies(moment: Moment) -> Action | None:
    if moment.at == At.BODY:
        BODIES.add(moment.recipient.partition("@")[0])
    return None


async def read_all(stub: Stub, ids: Mapping[str, str]) -> dict[str, str]:
    """Read all that the service shows; return each answer by its method and argument."""
    answers: dict[str, Awaitable[Message]] = {}
    for job_id in ids.values():
        answers[f"GetJob {job_id}"] = stub.GetJob(task_pb2.GetJobRequest(job_id=job_id))
    for name in ids:
        empid = f"E-{name.removesuffix(' again')}"
        answers[f"GetRecipient {empid}"] = stub.GetRecipient(
            task_pb2.GetRecipientRequest(empid=empid)
        )
    for email in ("failed@example.org", "blocked@example.org"):
        answers[f"GetSuppression {email}"] = stub.GetSuppression(
            task_pb2.GetSuppressionRequest(email=email)
        )
    answers["ListSuppressions"] = stub.ListSuppressions(task_pb2.ListSuppressionsRequest())
    for state in State.keys()[1:]:
        job_filter = task_pb2.JobFilter(state=state)
        answers[f"ListJobs {state}"] = stub.ListJobs(
            task_pb2.ListJobsRequest(filter=job_filter, page_size=1, view=task_pb2.Job.FULL)
        )
        answers[f"CountJobs {state}"] = stub.CountJobs(task_pb2.CountJobsRequest(filter=job_filter))
    status = await stub.GetStatus(task_pb2.GetStatusRequest())
    received = {name: await answer for name, answer in answers.items()} | {"Pause": status.pause}
    return {name: encode_answer(answer) for name, answer in received.items()}


def encode_answer(answer: Message) -> str:
    return base64.b64encode(answer.SerializeToString(deterministic=True)).decode()


def dump(uri: str) -> dict[str, Any]:
    """Return the collections: their documents and their indexes."""
    with MongoClient[dict[str, Any]](uri, tz_aware=True) as client:
        database = client.get_default_database()
        return {
            name: {
                "indexes": database[name].index_information(),
                "documents": list(database[name].find().sort("_id")),
            }
            for name in sorted(database.list_collection_names())
        }


async def generate(old: str, folder: Path) -> dict[str, Any]:
    version = await other_version(old, folder)
    await version.check()
    async with AsyncExitStack() as stack:
        mongo = await stack.enter_async_context(own_mongod(folder))
        valkey = await stack.enter_async_context(own_valkey(folder))
        relay = await stack.enter_async_context(Relay())
        relay.add_rule(watch_bodies)
        relay.add_rule(follow_script)
        settings = environment(mongo=mongo.uri, redis=valkey.uri, relay_port=relay.port, **SETTINGS)
        process = ServiceProcess(
            environment={**settings, **version.environment},
            log_file=folder / "service.log",
            port=free_port(),
        )
        stack.push_async_callback(process.kill_if_running)
        await process.start()
        stub = await stack.enter_async_context(scheduler_stub(process.target))
        ids = await fill(stub)
        answers = await read_all(stub, ids)
        await process.kill()
        stores = await asyncio.to_thread(dump, mongo.uri)
    return {"commit": version.commit, "jobs": ids, "answers": answers, "stores": stores}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--old", required=True, help="a commit, or a folder with a checkout")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        generated = asyncio.run(generate(options.old, Path(folder)))
    text = json_util.dumps(generated, json_options=json_util.RELAXED_JSON_OPTIONS, indent=1)
    options.out.write_text(json.dumps(json.loads(text), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
