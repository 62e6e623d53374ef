"""Switch access control on beside another commit of the program, and count second mails.

    python -m tests.measure.switching --old COMMIT [--calls 200] [--json FILE]

One process is of the other commit, in which callers have no names; one is of this commit, in which
they have. Each call is made at the old one first and repeated twice at the new one, half of them
with a request id. The old process then reads, cancels and lists jobs of named clients as well.
"""

import argparse
import asyncio
import json
import logging
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import structlog

from gcsched.cli.commands.serve import find_loop_factory
from gcsched.pb import task_pb2
from tests.measure.delivery import Figures, a_temporary_folder, run_metadata
from tests.support.in_process_app import make_settings, running_app
from tests.support.named_callers import name_callers, name_client
from tests.support.ports import free_port
from tests.support.program_versions import Version, other_version
from tests.support.relay.server import Relay
from tests.support.service_process import (
    ServiceProcess,
    Stub,
    a_meet,
    environment,
    scheduler_stub,
)
from tests.support.stores import own_mongod, own_valkey
from tests.support.wait import until

COMMAND = " ".join(["python -m tests.measure.switching", *sys.argv[1:]])
AT_ONCE, AHEAD_SECONDS, A_DAY_SECONDS = 20, 3, 86_400
Outcome = task_pb2.MeetResponse.Outcome
Request = task_pb2.MeetRequest


@asynccontextmanager
async def serve_both(folder: Path, old: Version) -> AsyncIterator[tuple[Stub, Stub, Relay]]:
    """Run the old version and this one on the same stores; yield a stub of each and the relay."""
    async with AsyncExitStack() as stack:
        mongo = await stack.enter_async_context(own_mongod(folder))
        valkey = await stack.enter_async_context(own_valkey(folder))
        relay = await stack.enter_async_context(Relay())
        stores: dict[str, Any] = {
            "mongo": mongo.uri,
            "redis": valkey.uri,
            "relay_port": relay.port,
        }
        variables = {**environment(**stores), **old.environment}
        process = ServiceProcess(
            environment=variables, log_file=folder / "old.log", port=free_port()
        )
        stack.push_async_callback(process.kill_if_running)
        await process.start()
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        name_callers(patch)
        new = await stack.enter_async_context(running_app(make_settings(**stores)))
        stubs = [
            await stack.enter_async_context(scheduler_stub(target))
            for target in (process.target, new.target)
        ]
        yield stubs[0], stubs[1], relay


def make_requests(count: int, *, first: int, ahead: int) -> list[Request]:
    due = int(time.time()) + ahead
    return [
        a_meet(n, timestamp=due, request_id=f"request-{n}" if n % 2 else "")
        for n in range(first, first + count)
    ]


async def schedule_all(
    stub: Stub, requests: Sequence[Request], clients: Sequence[str] = ("",)
) -> list[task_pb2.MeetResponse]:
    """Make all calls, AT_ONCE at a time, each by the next of *clients*."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def schedule(number: int) -> task_pb2.MeetResponse:
        async with turns:
            client = name_client(clients[number % len(clients)])
            reply: task_pb2.MeetResponse = await stub.ScheduleMeet(
                requests[number], metadata=client, timeout=20
            )
            return reply

    return await asyncio.gather(*map(schedule, range(len(requests))))


async def repeat_at_new(old: Stub, new: Stub, requests: Sequence[Request]) -> Figures:
    """Make each call at the old process, then twice at the new one, while others come to both."""
    first = await schedule_all(old, requests)
    await asyncio.sleep(0.2)  # the new process may have seen the store without such jobs before
    repeated = [
        answer
        for clients in (("hr",), ("hr", "payroll"))
        for answer in await schedule_all(new, requests, clients)
    ]
    ids = [answer.job_id for answer in first] * 2
    return {
        "first": dict(Counter(Outcome.Name(each.outcome) for each in first)),
        "repeated": dict(Counter(Outcome.Name(each.outcome) for each in repeated)),
        "other_ids": sum(each.job_id != job_id for each, job_id in zip(repeated, ids, strict=True)),
    }


async def use_at_old(old: Stub, new: Stub, requests: Sequence[Request]) -> Figures:
    """Read, cancel and list jobs of a named client at the old process, then schedule them again."""
    stored = await schedule_all(new, requests, ("hr",))
    seen: Counter[str] = Counter()
    for answer in stored:
        job = await old.GetJob(task_pb2.GetJobRequest(job_id=answer.job_id))
        seen[f"read {task_pb2.Job.State.Name(job.state)}"] += 1
        cancelled = await old.CancelJob(task_pb2.CancelJobRequest(job_id=answer.job_id))
        seen[f"cancelled {task_pb2.Job.State.Name(cancelled.state)}"] += 1
    everything = await old.ListJobs(task_pb2.ListJobsRequest(page_size=200))
    seen["listed"] = len(everything.jobs)
    again = await schedule_all(new, requests, ("hr",))
    seen.update(f"scheduled again: {Outcome.Name(each.outcome)}" for each in again)
    return dict(seen)


async def measure(folder: Path, options: argparse.Namespace) -> int:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    old_version = await other_version(options.old, folder)
    await old_version.check()
    async with serve_both(folder, old_version) as (old, new, relay):
        requests = make_requests(options.calls, first=0, ahead=AHEAD_SECONDS)
        answers = await repeat_at_new(old, new, requests)
        # These have no earlier job: both processes claim and send them.
        own = make_requests(options.calls, first=options.calls, ahead=AHEAD_SECONDS)
        created = await schedule_all(new, own, ("hr", "payroll"))
        later = make_requests(20, first=9 * options.calls, ahead=A_DAY_SECONDS)
        used = await use_at_old(old, new, later)
        await until(lambda: len(relay.ledger) >= 2 * options.calls, within=60)
        await asyncio.sleep(2)  # a second mail would have left by now
        mails = Counter(mail.recipient for mail in relay.ledger)
    figures = {
        **answers,
        "own": dict(Counter(Outcome.Name(each.outcome) for each in created)),
        "at_the_old_process": used,
        "recipients": len(mails),
        "second_mails": sum(count - 1 for count in mails.values()),
    }
    print(json.dumps(figures))
    if options.json is not None:
        surroundings = {**run_metadata(), "command": COMMAND, "old": old_version.commit}
        report = {"surroundings": surroundings, "figures": figures}
        options.json.write_text(json.dumps(report, indent=1) + "\n")
    is_once = not figures["second_mails"] and not figures["other_ids"]
    return int(not (is_once and len(mails) == 2 * options.calls))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--old", required=True, help="a commit, or a folder with a checkout")
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--json", type=Path)
    with a_temporary_folder() as folder, asyncio.Runner(loop_factory=find_loop_factory()) as runner:
        return runner.run(measure(folder, parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
