"""Meetings whose reminders are due in the same second, each moved or cancelled at that moment.

Two replicas deliver them. The answers to the callers are checked against the relay's ledger.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.field_mask_pb2 import FieldMask

from gcsched.pb import task_pb2
from tests.scenarios.cluster import Cluster, a_cluster
from tests.support.relay.script import repeatable
from tests.support.service_process import Stub, scheduler_stub
from tests.support.wait import until

BEFORE = timedelta(minutes=30)
SPREAD_SECONDS = (-0.5, 1.5)
CALL_TIMEOUT_SECONDS = 20.0
RETRY_INTERVAL_SECONDS = 0.5  # the service is full: its callers call again
MAX_SECONDS = 90.0
REMINDER = "Reminder: "
WAITING = {"SCHEDULED", "RETRYING", "SENDING"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    seed: int
    meetings: int = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change and its answer: *in_flight* mails could not be held back. *at*: when it came."""

    number: int
    is_cancel: bool
    answer: str
    in_flight: int
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioResult:
    scenario: Scenario
    due: float
    changes: Sequence[Change]
    reminders: Mapping[int, Sequence[float]]  # number of the meeting → arrivals
    states: Counter[str]
    seconds: float


async def run_scenario(folder: Path, scenario: Scenario) -> ScenarioResult:
    begun = time.monotonic()
    async with a_cluster(folder, services=2) as cluster, open_stubs(cluster) as stubs:
        due = find_due(scenario)
        ids = await create_meetings(stubs, scenario, due)
        await until(lambda: count_reminders(cluster) == scenario.meetings, within=60, every=1)
        assert time.time() < due.timestamp() - 1, "all reminders must wait before they are due"
        changes = await change_each(stubs, scenario, ids, due)
        await until(lambda: not has_due_reminders(cluster, due), within=60, every=1)
        return ScenarioResult(
            scenario=scenario,
            due=due.timestamp(),
            changes=changes,
            reminders=find_reminders(cluster),
            states=Counter(find_purposes(cluster)),
            seconds=round(time.monotonic() - begun, 1),
        )


@asynccontextmanager
async def open_stubs(cluster: Cluster) -> AsyncIterator[list[Stub]]:
    async with (
        scheduler_stub(cluster.services[0].target) as one,
        scheduler_stub(cluster.services[1].target) as other,
    ):
        yield [one, other]


def find_due(scenario: Scenario) -> datetime:
    """Return the first full minute at which all reminders can wait: starts are whole minutes."""
    ready = datetime.now(UTC) + timedelta(seconds=20 + scenario.meetings / 40)
    return (ready + timedelta(minutes=1)).replace(second=0, microsecond=0)


async def create_meetings(stubs: Sequence[Stub], scenario: Scenario, due: datetime) -> list[str]:
    room = asyncio.Semaphore(50)

    async def create(number: int) -> str:
        meeting = task_pb2.Meeting(
            summary=f"Meeting {number}",
            start=format_wall(due + BEFORE),
            time_zone="UTC",
            attendees=[task_pb2.Attendee(email=f"m{number}@example.com")],
        )
        meeting.duration.FromTimedelta(timedelta(minutes=30))
        meeting.reminders.add().before.FromTimedelta(BEFORE)
        request = task_pb2.CreateMeetingRequest(meeting=meeting)
        async with room:
            stub = stubs[number % len(stubs)]
            return (await stub.CreateMeeting(request, timeout=CALL_TIMEOUT_SECONDS)).meeting_id

    return await asyncio.gather(*map(create, range(scenario.meetings)))


async def change_each(
    stubs: Sequence[Stub], scenario: Scenario, ids: Sequence[str], due: datetime
) -> list[Change]:
    """Move or cancel each meeting, from its own caller, at about the time of its reminder."""
    chance = repeatable(f"meeting races {scenario.seed}")
    drawn = [
        (chance.uniform(*SPREAD_SECONDS), chance.random() < 0.5, chance.choice(stubs)) for _ in ids
    ]

    async def change(number: int) -> Change:
        delay, is_cancel, stub = drawn[number]
        await asyncio.sleep(max(0.0, due.timestamp() + delay - time.time()))
        answer, in_flight = "", 0
        until_time = time.monotonic() + MAX_SECONDS
        while answer != "OK" and time.monotonic() < until_time:
            try:
                meeting = await send_change(stub, ids[number], due, is_cancel=is_cancel)
            except grpc.aio.AioRpcError as error:
                answer = error.code().name
                await asyncio.sleep(RETRY_INTERVAL_SECONDS)
            else:
                answer, in_flight = "OK", sum(each.in_flight for each in meeting.effects)
        return Change(
            number=number, is_cancel=is_cancel, answer=answer, in_flight=in_flight, at=time.time()
        )

    return await asyncio.gather(*map(change, range(len(ids))))


async def send_change(
    stub: Stub, meeting_id: str, due: datetime, *, is_cancel: bool
) -> task_pb2.Meeting:
    if is_cancel:
        cancel = task_pb2.CancelMeetingRequest(meeting_id=meeting_id)
        return await stub.CancelMeeting(cancel, timeout=CALL_TIMEOUT_SECONDS)
    move = task_pb2.UpdateMeetingRequest(
        meeting=task_pb2.Meeting(
            meeting_id=meeting_id, start=format_wall(due + BEFORE + timedelta(hours=1))
        ),
        update_mask=FieldMask(paths=["start"]),
    )
    return await stub.UpdateMeeting(move, timeout=CALL_TIMEOUT_SECONDS)


def format_wall(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M")


def count_reminders(cluster: Cluster) -> int:
    return sum(is_reminder(job) and job["state"] == "SCHEDULED" for job in cluster.jobs())


def has_due_reminders(cluster: Cluster, due: datetime) -> bool:
    return any(
        is_reminder(job) and job["state"] in WAITING and job["due"] <= due for job in cluster.jobs()
    )


def is_reminder(job: Mapping[str, Any]) -> bool:
    return bool(job.get("meeting_mail", {}).get("purpose") == "REMINDER")


def find_purposes(cluster: Cluster) -> list[str]:
    return [
        f"{job.get('meeting_mail', {}).get('purpose', 'INVITATION')} {job['state']}"
        for job in cluster.jobs()
    ]


def find_reminders(cluster: Cluster) -> dict[int, list[float]]:
    found: dict[int, list[float]] = {}
    for entry in cluster.ledger_entries():
        if entry["subject"].startswith(REMINDER):
            number = int(entry["recipient"].partition("@")[0].removeprefix("m"))
            found.setdefault(number, []).append(entry["time"])
    return found


def problems(found: ScenarioResult) -> list[str]:
    """List the meetings whose old reminder left after an OK, not counted as in flight."""
    wrong = []
    for change in found.changes:
        arrivals = found.reminders.get(change.number, ())
        if change.answer != "OK":
            wrong.append(f"{change}: not answered with OK")
        elif any(each > change.at for each in arrivals) and not change.in_flight:
            wrong.append(f"{change}: reminded at {arrivals}")
        if len(arrivals) > 1:
            wrong.append(f"{change}: reminded {len(arrivals)} times")
    return wrong


def figures(found: ScenarioResult) -> dict[str, Any]:
    """Return the figures of the run for a report."""
    wrong = problems(found)
    after = sum(
        each > change.at
        for change in found.changes
        for each in found.reminders.get(change.number, ())
    )
    return {
        "seed": found.scenario.seed,
        "meetings": found.scenario.meetings,
        "seconds": found.seconds,
        "answers": dict(
            Counter(
                f"{'cancel' if each.is_cancel else 'move'}: {each.answer}" for each in found.changes
            )
        ),
        "reminded": len(found.reminders),
        "counted_in_flight": sum(each.in_flight for each in found.changes),
        "arrived_after_the_answer": after,
        "states": dict(found.states),
        "problems": len(wrong),
        "first_problems": wrong[:10],
    }
