"""Admission on real stores: the job of an answer is stored, whatever Redis does."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import redis
from msgspec import structs
from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.database import Database

from gcsched.adapters.mongo.admissions import MongoAdmissions
from gcsched.adapters.mongo.connection import Mongo, open_mongo
from gcsched.adapters.mongo.meetings.event_meetings import MongoEventMeetings
from gcsched.adapters.mongo.recipient_writer import MongoRecipients
from gcsched.adapters.redis.arq import ArqWakeUpQueue
from gcsched.adapters.redis.arq_client import open_arq
from gcsched.domain.access import ANYONE
from gcsched.domain.dedup import AdmissionOutcome, AdmissionResult, Dedup, DedupRule
from gcsched.errors import InvalidRequest, Overloaded, RequestIdReused, StoreUnavailable
from gcsched.usecases.admission.job_factory import JobFactory, Submission
from gcsched.usecases.admission.meeting_writer import MeetingWriter
from gcsched.usecases.admission.recipient_writer import RecipientWriter
from gcsched.usecases.admission.submit import AdmissionWriter, SubmissionResult, Submit
from gcsched.usecases.batching import GroupCommit
from gcsched.usecases.loop_share import LoopShare
from gcsched.usecases.ports import AdmissionError, Clock, NullObserver
from gcsched.usecases.wakeups import WakeUps
from gcsched.web.metric_definitions import find_admission_label
from tests.support.background import in_background
from tests.support.builders import (
    NOON,
    NOW,
    FixedClock,
    a_job,
    a_job_factory,
    a_refusal,
    a_request,
    an_admitted,
    is_new,
)
from tests.support.clocks import SECOND
from tests.support.rows import Row
from tests.support.stores import OwnServer, own_mongod, own_valkey
from tests.support.wait import until

SOON = timedelta(milliseconds=300)
LONG = timedelta(seconds=30)  # for calls that succeed, on a busy machine too
MAX_REPLY_SECONDS = 0.05 + 0.15  # for the wake-up, and for the write on a busy machine


@asynccontextmanager
async def run_submit(
    mongo: Mongo,
    redis_url: str,
    *,
    now: Clock,
    nudges: list[None] | None = None,
    factory: JobFactory | None = None,
) -> AsyncIterator[Submit]:
    """Run admission as the service does."""
    received = [] if nudges is None else nudges
    client = open_arq(redis_url)
    queue = ArqWakeUpQueue(redis=client, now=now)
    wake_ups = WakeUps(queue=queue, nudge=lambda: received.append(None), now=now)
    recipients = RecipientWriter(
        store=MongoRecipients(mongo=mongo), interval=timedelta(milliseconds=20)
    )
    write = AdmissionWriter(
        admissions=MongoAdmissions(mongo=mongo),
        wake_ups=wake_ups,
        recipients=recipients,
        meetings=MeetingWriter(store=MongoEventMeetings(mongo=mongo, retention=timedelta(days=30))),
    )
    group = GroupCommit[Submission, SubmissionResult](write.write, linger=timedelta(milliseconds=2))
    try:
        async with (
            in_background(wake_ups.run),
            in_background(recipients.run),
            in_background(group.run),
        ):
            yield Submit(job_factory=factory or a_job_factory(), group=group, now=now)
    finally:
        await client.aclose(close_connection_pool=True)


@pytest.fixture
def nudges() -> list[None]:
    return []


@pytest.fixture
async def submit(
    mongo: Mongo, redis_url: str, clock: FixedClock, nudges: list[None]
) -> AsyncIterator[Submit]:
    async with run_submit(mongo, redis_url, now=clock, nudges=nudges) as submit:
        yield submit


def read_wake_ups(redis_url: str) -> set[str]:
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        return set(client.zrange("gcsched:queue", 0, -1))


async def test_the_job_of_an_answer_is_stored(submit: Submit, jobs: Collection[Row]) -> None:
    request = a_request(timestamp=NOON + 3600, message="  Stand-up ", email="Ada@EXAMPLE.org")

    answer = await submit.submit(request, within=LONG, client=ANYONE)

    [row] = jobs.find()
    assert answer == an_admitted(a_job(id=row["_id"], due_time=NOW + timedelta(hours=1)))
    assert (row["state"], row["created"]) == ("SCHEDULED", NOW)
    assert row["due"] == row["due_at"] == NOW + timedelta(hours=1)
    assert row["not_after"] == NOW + timedelta(hours=7)
    assert (row["email"], row["message"]) == ("Ada@example.org", "Stand-up")
    assert row["message_id"] == f"{row['_id']}@example.org"


async def test_the_same_request_again_is_the_same_job(
    submit: Submit, jobs: Collection[Row], clock: FixedClock
) -> None:
    first = await submit.submit(a_request(), within=LONG, client=ANYONE)
    clock.advance(SECOND)

    again = await submit.submit(a_request(name="Ada King"), within=LONG, client=ANYONE)

    assert again == an_admitted(a_job(id=first.job_id), is_new=False)
    assert jobs.count_documents({}) == 1


async def test_200_identical_calls_over_two_processes_are_one_job(
    submit: Submit, mongo_uri: str, redis_url: str, clock: FixedClock, jobs: Collection[Row]
) -> None:
    async with (
        open_mongo(mongo_uri) as another,
        run_submit(another, redis_url, now=clock) as other,
    ):
        calls = [
            (submit, other)[n % 2].submit(a_request(), within=LONG, client=ANYONE)
            for n in range(200)
        ]
        answers = await asyncio.gather(*calls)

    [row] = jobs.find()
    assert {answer.job_id for answer in answers} == {row["_id"]}
    assert [is_new(answer) for answer in answers].count(True) == 1


async def test_an_invalid_request_is_not_stored(submit: Submit, jobs: Collection[Row]) -> None:
    with pytest.raises(InvalidRequest) as raised:
        await submit.submit(a_request(empid="", email="nobody"), within=LONG, client=ANYONE)

    assert [violation.field for violation in raised.value.violations] == ["empid", "emailID"]
    assert jobs.count_documents({}) == 0


@pytest.mark.parametrize("timestamp", [1, 1_672_531_200, NOON - 1, NOON], ids=str)
async def test_a_past_time_means_now(
    submit: Submit,
    jobs: Collection[Row],
    nudges: list[None],
    redis_url: str,
    timestamp: int,
) -> None:
    await submit.submit(a_request(timestamp=timestamp), within=LONG, client=ANYONE)

    [row] = jobs.find()
    assert (row["state"], row["due"], row["due_at"]) == ("SCHEDULED", NOW, NOW)
    assert row["not_after"] == NOW + timedelta(hours=6)
    assert len(nudges) == 1
    # A reply waits only 50 ms for Redis.
    assert await until(lambda: read_wake_ups(redis_url)) == {f"gcsched:wake:{NOON}"}


@pytest.mark.parametrize(
    ("now", "day"),
    [
        (datetime(2026, 7, 1, 7, 59, 59, tzinfo=UTC), date(2026, 7, 1)),
        (datetime(2026, 7, 1, 8, 0, 0, tzinfo=UTC), date(2026, 7, 2)),
        (datetime(2026, 10, 24, 12, 0, 0, tzinfo=UTC), date(2026, 10, 25)),
    ],
    ids=["before today's run", "from its time on", "over a clock change"],
)
async def test_a_request_without_a_time_joins_the_next_daily_run(
    submit: Submit, jobs: Collection[Row], clock: FixedClock, now: datetime, day: date
) -> None:
    clock.now = now

    first = await submit.submit(a_request(timestamp=0), within=LONG, client=ANYONE)
    again = await submit.submit(a_request(timestamp=0), within=LONG, client=ANYONE)

    [row] = jobs.find()
    ten = datetime.combine(day, time_of_day(10), tzinfo=ZoneInfo("Europe/Berlin"))
    assert (row["state"], row["due"]) == ("QUEUED", ten)
    assert row["not_after"] == ten + timedelta(hours=6)
    assert first.job_id == again.job_id


async def test_a_job_for_the_daily_run_schedules_no_wake_up(
    submit: Submit, nudges: list[None], redis_url: str
) -> None:
    await submit.submit(a_request(timestamp=0), within=LONG, client=ANYONE)

    assert (nudges, read_wake_ups(redis_url)) == ([], set())


async def test_the_same_daily_request_tomorrow_is_a_new_job(
    submit: Submit, jobs: Collection[Row], clock: FixedClock
) -> None:
    await submit.submit(a_request(timestamp=0), within=LONG, client=ANYONE)
    clock.advance(timedelta(days=1))

    answer = await submit.submit(a_request(timestamp=0), within=LONG, client=ANYONE)

    assert is_new(answer)
    assert jobs.count_documents({"state": "QUEUED"}) == 2


@pytest.mark.parametrize(
    ("ahead", "is_scheduled"), [(1, True), (60, True), (61, False), (86_400, False)]
)
async def test_only_jobs_due_within_a_minute_schedule_a_wake_up(
    submit: Submit, redis_url: str, nudges: list[None], ahead: int, *, is_scheduled: bool
) -> None:
    await submit.submit(a_request(timestamp=NOON + ahead), within=LONG, client=ANYONE)

    if is_scheduled:  # a reply waits only 50 ms for Redis
        await until(lambda: read_wake_ups(redis_url))
    assert read_wake_ups(redis_url) == ({f"gcsched:wake:{NOON + ahead}"} if is_scheduled else set())
    assert nudges == []


async def test_user_details_are_written_after_the_reply(submit: Submit, raw: Database[Row]) -> None:
    await submit.submit(a_request(), within=LONG, client=ANYONE)

    await until(lambda: raw["recipients"].count_documents({}))

    [kept] = raw["recipients"].find()
    assert (kept["_id"], kept["name"], kept["email"]) == ("E1", "Ada", "ada@example.org")


async def test_a_caller_that_hangs_up_loses_only_its_answer(
    submit: Submit, jobs: Collection[Row]
) -> None:
    calls = [
        asyncio.create_task(
            submit.submit(a_request(empid=f"E{number}"), within=LONG, client=ANYONE)
        )
        for number in range(20)
    ]
    await asyncio.sleep(0)
    for call in calls[::2]:
        call.cancel()

    answers = await asyncio.gather(*calls, return_exceptions=True)

    accepted = [each for each in answers if isinstance(each, AdmissionResult) and each.is_accepted]
    answered = {each.job_id for each in accepted}
    assert len(answered) == 10
    assert answered <= {row["_id"] for row in jobs.find()}


def disable_server(server: OwnServer, how: str) -> None:
    if how == "silent":
        server.freeze()
    else:
        server.kill()


@pytest.mark.parametrize("how", ["silent", "dead"])
async def test_a_redis_that_is_away_delays_a_reply_by_50_ms_at_most_and_fails_none(
    mongo: Mongo, jobs: Collection[Row], clock: FixedClock, tmp_path: Path, how: str
) -> None:
    async with own_valkey(tmp_path) as server:
        async with run_submit(mongo, server.uri, now=clock) as submit:
            await submit.submit(a_request(empid="first"), within=LONG, client=ANYONE)
            disable_server(server, how)

            took = []
            for number in range(10):
                begun = time.monotonic()
                request = a_request(empid=f"E{number}", timestamp=NOON + number)
                await submit.submit(request, within=SECOND, client=ANYONE)
                took.append(time.monotonic() - begun)

        server.resume()
    assert max(took) < MAX_REPLY_SECONDS
    assert jobs.count_documents({}) == 11


async def test_a_silent_store_fails_calls_in_time_and_repeating_them_makes_one_job(
    redis_url: str, clock: FixedClock, tmp_path: Path
) -> None:
    async with (
        own_mongod(tmp_path) as server,
        open_mongo(server.uri) as mongo,
        run_submit(mongo, redis_url, now=clock) as submit,
    ):
        await mongo.prepare()
        await submit.submit(a_request(empid="before"), within=LONG, client=ANYONE)
        server.freeze()

        took = []
        for _ in range(3):
            begun = time.monotonic()
            with pytest.raises(StoreUnavailable):
                await submit.submit(a_request(), within=SOON, client=ANYONE)
            took.append(time.monotonic() - begun)
        server.resume()
        answers = [await submit.submit(a_request(), within=LONG, client=ANYONE) for _ in range(2)]

        with MongoClient[Row](server.uri) as client:
            rows = list(client["gcsched"]["jobs"].find({"empid": "E1"}))
    assert max(took) < SOON.total_seconds() + 0.2
    assert [row["_id"] for row in rows] == [answers[0].job_id]
    assert answers[1] == an_admitted(a_job(id=answers[0].job_id), is_new=False)


async def test_an_unreachable_store_fails_a_call_within_the_callers_time(
    redis_url: str, clock: FixedClock, unused_tcp_port: int
) -> None:
    away = f"mongodb://127.0.0.1:{unused_tcp_port}/?serverSelectionTimeoutMS=500"
    async with (
        open_mongo(away) as mongo,
        run_submit(mongo, redis_url, now=clock) as submit,
    ):
        begun = time.monotonic()
        with pytest.raises(StoreUnavailable):
            await submit.submit(a_request(), within=SOON, client=ANYONE)

        assert time.monotonic() - begun < SOON.total_seconds() + 0.2


@pytest.mark.parametrize("other_limits", [[], [SOON]], ids=["alone", "beside a short limit"])
async def test_a_store_that_comes_back_within_the_callers_time_does_not_fail_the_call(
    redis_url: str, clock: FixedClock, tmp_path: Path, other_limits: list[timedelta]
) -> None:
    async with (
        own_mongod(tmp_path) as server,
        open_mongo(f"{server.uri}&serverSelectionTimeoutMS=100") as mongo,
        run_submit(mongo, redis_url, now=clock) as submit,
    ):
        await mongo.prepare()
        server.kill()

        long_call = asyncio.create_task(
            submit.submit(a_request(), within=15 * SECOND, client=ANYONE)
        )
        others = [
            submit.submit(a_request(empid="other"), within=within, client=ANYONE)
            for within in other_limits
        ]
        reported = await asyncio.gather(*others, return_exceptions=True)
        await server.start()

        assert is_new(await long_call)
    assert {type(answer) for answer in reported} <= {StoreUnavailable}


class CountingObserver(NullObserver):
    """Counts results by the labels that operators see."""

    def __init__(self) -> None:
        self.outcomes: Counter[str] = Counter()

    def on_admission(self, result: AdmissionOutcome | AdmissionError) -> None:
        self.outcomes[find_admission_label(result)] += 1


async def test_each_of_many_requests_is_answered_and_counted(
    submit: Submit, jobs: Collection[Row]
) -> None:
    counting = CountingObserver()
    requests = [
        a_request(request_id="R"),
        a_request(empid="E2", email="nobody"),
        a_request(empid="E3", request_id="R"),
        a_request(empid="E4"),
        a_request(request_id="R"),
    ]

    answers = await replace(submit, observer=counting).submit_all(
        requests, within=LONG, client=ANYONE
    )

    accepted = AdmissionResult
    kinds = [accepted, InvalidRequest, RequestIdReused, accepted, accepted]
    assert [type(answer) for answer in answers] == kinds
    assert isinstance(answers[0], AdmissionResult)
    assert answers[0].is_accepted
    assert answers[4] == structs.replace(answers[0], outcome=AdmissionOutcome.REPLAYED)
    assert counting.outcomes == {"created": 2, "replayed": 1, "invalid": 1, "refused": 1}
    assert {row["empid"] for row in jobs.find()} == {"E1", "E4"}


class UsedUpShare(LoopShare):
    """A share of the event loop that other requests always use up."""

    def try_take(self) -> bool:
        return False

    async def wait(self) -> None:
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        await turn


async def test_a_request_without_a_turn_in_time_is_overloaded_not_unavailable(
    submit: Submit, jobs: Collection[Row]
) -> None:
    counting = CountingObserver()
    submit = replace(submit, share=UsedUpShare(), bulk_share=UsedUpShare(), observer=counting)

    with pytest.raises(Overloaded, match="1 requests are waiting"):
        await submit.submit(a_request(), within=SOON, client=ANYONE)
    with pytest.raises(Overloaded, match="1 requests are waiting"):
        await submit.submit_all([a_request(), a_request(empid="E2")], within=SOON, client=ANYONE)

    assert jobs.count_documents({}) == 0
    assert counting.outcomes == {"overloaded": 3}


async def test_a_request_within_the_window_of_its_employee_is_refused_not_an_error(
    submit: Submit, jobs: Collection[Row]
) -> None:
    counting = CountingObserver()
    rule = DedupRule(by=Dedup.EMPLOYEE, window=timedelta(hours=24))
    submit = replace(submit, job_factory=a_job_factory(dedup=rule), observer=counting)

    first = await submit.submit(a_request(), within=LONG, client=ANYONE)
    second = await submit.submit(a_request(message="Lunch"), within=LONG, client=ANYONE)

    [row] = jobs.find()
    assert (row["_id"], row["dedup_until"]) == (first.job_id, NOW + timedelta(hours=24))
    assert second == a_refusal(first.job_id)
    assert counting.outcomes == {"created": 1, "refused": 1}


@pytest.mark.parametrize("request_id", ["", "R"], ids=["by content", "by request id"])
async def test_a_repeated_request_is_the_same_job_after_its_not_after_too(
    submit: Submit, clock: FixedClock, jobs: Collection[Row], request_id: str
) -> None:
    due = int(NOW.timestamp())
    request = a_request(timestamp=due, not_after=due + 2, request_id=request_id)
    first = await submit.submit(request, within=10 * SECOND, client=ANYONE)
    clock.advance(3 * SECOND)

    again = await submit.submit(request, within=10 * SECOND, client=ANYONE)

    assert first.is_accepted
    assert again == structs.replace(first, outcome=AdmissionOutcome.REPLAYED)
    with pytest.raises(InvalidRequest) as raised:
        await submit.submit(
            structs.replace(request, message="another", request_id=""),
            within=10 * SECOND,
            client=ANYONE,
        )
    assert [each.field for each in raised.value.violations] == ["not_after"]
    assert jobs.count_documents({}) == 1


async def test_a_repeated_daily_request_is_the_same_job_after_its_not_after_too(
    submit: Submit, clock: FixedClock, jobs: Collection[Row]
) -> None:
    run = a_job_factory().context.daily_plan
    at = run.run_time(run.next_run_day(NOW))
    request = a_request(timestamp=0, not_after=int(at.timestamp()) + 60)
    first = await submit.submit(request, within=10 * SECOND, client=ANYONE)
    clock.now = at + timedelta(hours=1)

    again = await submit.submit(request, within=10 * SECOND, client=ANYONE)

    assert first.is_accepted
    assert again == structs.replace(first, outcome=AdmissionOutcome.REPLAYED)
    assert jobs.count_documents({}) == 1
