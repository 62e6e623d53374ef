"""Jobs of named clients beside those of callers without a name. Oracle: the stored documents."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from pymongo.collection import Collection
from pymongo.database import Database

from gcsched.adapters.mongo import anonymous_keys
from gcsched.adapters.mongo.admissions import MongoAdmissions
from gcsched.adapters.mongo.anonymous_keys import AnonymousKeys
from gcsched.adapters.mongo.connection import Mongo
from gcsched.adapters.mongo.key_holders import MongoKeyHolders
from gcsched.domain.access import ANYONE, Client
from gcsched.domain.dedup import AdmissionAnswer, AdmissionResult, Dedup, DedupRule
from gcsched.domain.job import Job
from tests.support.builders import (
    NOW,
    a_job_factory,
    a_refusal,
    a_request,
    an_admitted,
    find_reused_id,
    is_new,
)
from tests.support.clocks import SECOND
from tests.support.mongo_profile import profile_commands
from tests.support.named_callers import CLIENTS
from tests.support.rows import Row

HR, PAYROLL = CLIENTS["hr"], CLIENTS["payroll"]
EMPLOYEE = DedupRule(by=Dedup.EMPLOYEE, window=timedelta(days=1))


def a_job_of(client: Client, rule: DedupRule | None = None, **request: Any) -> Job:
    return a_job_factory(dedup=rule or DedupRule()).create(
        a_request(**request), now=NOW, client=client
    )


async def admit(mongo: Mongo, *jobs: Job) -> list[AdmissionAnswer]:
    return await MongoAdmissions(mongo=mongo).admit(jobs, within=5 * SECOND)


def make_replay(job: Job) -> AdmissionResult:
    return an_admitted(job, is_new=False)


@dataclass
class Clock:
    seconds: float = 1_000.0

    def __call__(self) -> float:
        return self.seconds


async def test_each_client_has_its_own_jobs_for_the_same_content(
    mongo: Mongo, jobs: Collection[Row]
) -> None:
    one, other, again = (a_job_of(client) for client in (HR, PAYROLL, HR))

    answers = await admit(mongo, one, other)
    repeated = await admit(mongo, again)

    assert answers == [an_admitted(one), an_admitted(other)]
    assert repeated == [make_replay(one)]
    assert {row["client"] for row in jobs.find()} == {"hr", "payroll"}


async def test_each_client_has_its_own_request_ids(mongo: Mongo, jobs: Collection[Row]) -> None:
    one, other = a_job_of(HR, request_id="R"), a_job_of(PAYROLL, request_id="R", message="Lunch")
    again, reused = a_job_of(HR, request_id="R"), a_job_of(HR, request_id="R", message="Lunch")

    answers = await admit(mongo, one, other)
    repeated = await admit(mongo, again, reused)

    assert answers == [an_admitted(one), an_admitted(other)]
    assert repeated[0] == make_replay(one)
    assert find_reused_id(repeated[1]) == one.id
    assert [row["own_request_id"] for row in jobs.find()] == ["R", "R"]
    assert not list(jobs.find({"request_id": {"$exists": True}}))


@pytest.mark.parametrize("request_id", ["", "R"])
async def test_a_job_of_a_caller_without_a_name_bars_the_same_call_of_each_client(
    mongo: Mongo, jobs: Collection[Row], request_id: str
) -> None:
    first = a_job_of(ANYONE, request_id=request_id)
    await admit(mongo, first)
    group = [
        a_job_of(HR, request_id=request_id),
        a_job_of(PAYROLL, request_id=request_id),
        a_job_of(ANYONE, request_id=request_id),
        a_job_of(HR, empid="E2", request_id=request_id and "S"),
    ]

    answers = await admit(mongo, *group)
    tried = await MongoAdmissions(mongo=mongo).dry_run(group[:2], within=5 * SECOND)

    assert answers == [*[make_replay(first)] * 3, an_admitted(group[3])]
    assert tried == [make_replay(first)] * 2
    assert jobs.count_documents({}) == 2


async def test_a_request_id_of_a_caller_without_a_name_is_not_for_other_content(
    mongo: Mongo, jobs: Collection[Row]
) -> None:
    first, other = a_job_of(ANYONE, request_id="R"), a_job_of(HR, request_id="R", message="Lunch")
    await admit(mongo, first)

    answers = await admit(mongo, other)

    assert [find_reused_id(each) for each in answers] == [first.id]
    assert jobs.count_documents({}) == 1


async def test_a_released_key_bars_no_client(mongo: Mongo, jobs: Collection[Row]) -> None:
    """The job ended without a mail: its call may be made again."""
    await admit(mongo, a_job_of(ANYONE), a_job_of(ANYONE, empid="E2"))
    jobs.update_one({"empid": "E1"}, {"$set": {"state": "FAILED"}, "$unset": {"dedup_key": ""}})

    assert is_new((await admit(mongo, a_job_of(HR)))[0])


async def test_an_earlier_job_of_the_client_answers_first(
    mongo: Mongo, jobs: Collection[Row]
) -> None:
    """A process without access control stored the other job after it."""
    own, other = a_job_of(HR), a_job_of(ANYONE)
    await admit(mongo, own)
    await admit(mongo, other)

    assert await admit(mongo, a_job_of(HR)) == [make_replay(own)]
    assert await admit(mongo, a_job_of(PAYROLL)) == [make_replay(other)]
    assert jobs.count_documents({}) == 2


async def test_a_repeated_write_finds_its_own_job(mongo: Mongo) -> None:
    await admit(mongo, job := a_job_of(HR))
    await admit(mongo, a_job_of(ANYONE))

    assert await admit(mongo, job) == [an_admitted(job)]


async def test_by_employee_the_clients_share_the_window(
    mongo: Mongo, jobs: Collection[Row]
) -> None:
    first = a_job_of(HR, EMPLOYEE, request_id="R")
    others = [
        a_job_of(PAYROLL, EMPLOYEE),
        a_job_of(PAYROLL, EMPLOYEE, request_id="R"),
        a_job_of(ANYONE, EMPLOYEE),
        a_job_of(HR, EMPLOYEE, request_id="R"),
    ]
    await admit(mongo, first)

    answers = await admit(mongo, *others)
    [own_id] = await admit(mongo, a_job_of(PAYROLL, EMPLOYEE, empid="E2", request_id="R"))

    assert answers == [*[a_refusal(first.id)] * 3, make_replay(first)]
    assert is_new(own_id)
    assert jobs.count_documents({}) == 2


async def test_by_employee_a_request_id_without_a_client_counts_for_each_client(
    mongo: Mongo, jobs: Collection[Row]
) -> None:
    first = a_job_of(ANYONE, EMPLOYEE, request_id="R")
    await admit(mongo, first)

    answers = await admit(
        mongo,
        a_job_of(HR, EMPLOYEE, request_id="R"),
        a_job_of(HR, EMPLOYEE, empid="E2", request_id="R"),
    )

    assert answers[0] == make_replay(first)
    assert find_reused_id(answers[1]) == first.id
    assert jobs.count_documents({}) == 1


async def test_groups_without_clients_cost_nothing_more(mongo: Mongo, raw: Database[Row]) -> None:
    async def use(mongo: Mongo) -> None:
        await admit(mongo, a_job_of(ANYONE), a_job_of(ANYONE, empid="E2", request_id="R"))

    assert await profile_commands(mongo, raw, use) == []  # inserts are left out


@pytest.mark.parametrize("rule", [DedupRule(), EMPLOYEE], ids=["content", "employee"])
async def test_without_jobs_of_others_a_client_costs_one_seek_in_100_milliseconds(
    mongo: Mongo, raw: Database[Row], rule: DedupRule
) -> None:
    clock = Clock()
    admissions = MongoAdmissions(mongo=mongo, anonymous_keys=AnonymousKeys(clock=clock))

    async def use(mongo: Mongo) -> None:
        assert mongo is admissions.mongo
        for number in range(10):
            clock.seconds += 0.02
            job = a_job_of(HR, rule, empid=f"E{number}", request_id=f"R{number}")
            assert is_new((await admissions.admit([job], within=5 * SECOND))[0])

    profile = await profile_commands(mongo, raw, use)

    assert [each["planSummary"][:6] for each in profile] == ["IXSCAN"] * 2
    assert [(each["keysExamined"], each["docsExamined"]) for each in profile] == [(0, 0)] * 2


async def test_a_job_that_comes_later_is_noticed_after_100_milliseconds(
    mongo: Mongo, jobs: Collection[Row]
) -> None:
    clock = Clock()
    admissions = MongoAdmissions(mongo=mongo, anonymous_keys=AnonymousKeys(clock=clock))
    assert is_new((await admissions.admit([a_job_of(HR, empid="E2")], within=5 * SECOND))[0])
    await admit(mongo, first := a_job_of(ANYONE))
    clock.seconds += anonymous_keys.ABSENT_SECONDS

    assert await admissions.admit([a_job_of(HR)], within=5 * SECOND) == [make_replay(first)]
    jobs.update_one({"_id": first.id}, {"$unset": {"dedup_key": ""}})
    clock.seconds += anonymous_keys.PRESENT_SECONDS
    assert is_new((await admissions.admit([a_job_of(HR)], within=5 * SECOND))[0])


async def test_a_job_that_a_majority_has_only_later_is_waited_for(
    mongo: Mongo, jobs: Collection[Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    await admit(mongo, first := a_job_of(ANYONE))
    find, reads = MongoKeyHolders.find_anonymous, list[bool]()

    async def find_later(self: MongoKeyHolders, given: Any) -> Any:
        reads.append(self.is_majority_read)
        return {} if reads.count(True) == 1 and self.is_majority_read else await find(self, given)

    monkeypatch.setattr(MongoKeyHolders, "find_anonymous", find_later)

    assert await admit(mongo, a_job_of(HR)) == [make_replay(first)]
    assert reads == [False, True] * 2
    assert jobs.count_documents({}) == 1
