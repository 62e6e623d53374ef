"""Reading and erasing personal_data data. Oracle: what the driver finds in the collections."""

from datetime import timedelta
from typing import Any

import pytest
from pymongo.collection import Collection
from pymongo.database import Database

from gcsched.adapters.mongo.codec import decode, encode
from gcsched.adapters.mongo.connection import Mongo
from gcsched.adapters.mongo.recipient_writer import MongoRecipients
from gcsched.adapters.mongo.recipients import MongoPersonalData
from gcsched.domain.job import FINAL_STATES, Job, State
from gcsched.domain.meeting import Person
from gcsched.domain.meeting_mail import MeetingMail, Purpose
from gcsched.domain.recipient import Recipient
from gcsched.domain.smtp_reply import Kind
from gcsched.usecases.ports import ErasedBatch
from tests.support.builders import NOW, a_job, a_revision, an_attempt, an_invitation
from tests.support.mongo_profile import profile_commands, stages
from tests.support.rows import Row

NOT_FINAL = sorted(set(State) - FINAL_STATES)


@pytest.fixture
def personal_data(mongo: Mongo) -> MongoPersonalData:
    return MongoPersonalData(mongo=mongo)


def a_failed_job(**others: Any) -> Job:
    """Make one in which every field has personal_data data."""
    refusal = an_attempt(kind=Kind.RECIPIENT, code=550, text="550 <ada@example.org> unknown")
    ordinary: dict[str, Any] = {
        "state": State.FAILED,
        "dedup_key": None,
        "variables": {"salary": "much"},
        "labels": {"team": "red"},
        "reply_to": "boss@example.org",
        "request_id": "r-1",
        "released_key": "made of the content",
        "reason": "550 <ada@example.org> unknown",
        "attempt": 1,
        "attempts": (refusal,),
        "version": 3,
    }
    return a_job(**{**ordinary, **others})


async def test_user_details_are_read_back(mongo: Mongo, personal_data: MongoPersonalData) -> None:
    await MongoRecipients(mongo=mongo).save([a_job(), a_job()])

    assert await personal_data.find_recipient("E1") == Recipient(
        empid="E1",
        name="Ada",
        email="ada@example.org",
        first_seen_time=NOW,
        last_seen_time=NOW,
        accepted_count=2,
    )
    assert await personal_data.find_recipient("E2") is None


async def test_user_details_are_deleted(
    mongo: Mongo, personal_data: MongoPersonalData, raw: Database[Row]
) -> None:
    await MongoRecipients(mongo=mongo).save([a_job(), a_job(empid="E2")])

    await personal_data.delete_recipient("E1")
    await personal_data.delete_recipient("E1")

    assert [row["_id"] for row in raw["recipients"].find()] == ["E2"]


async def test_an_erased_job_keeps_its_state_its_times_and_its_reason_without_addresses(
    personal_data: MongoPersonalData, jobs: Collection[Row]
) -> None:
    before = encode(a_failed_job()) | {"delete_after": NOW + timedelta(days=36500)}
    jobs.insert_one(before)

    erased = await personal_data.erase_jobs("E1", after="", most=10, now=NOW)

    [row] = jobs.find()
    [attempt] = before["attempts"]
    removed = {"variables", "labels", "reply_to", "released_key"}
    assert erased == ErasedBatch(jobs=1, skipped=0, last=None)
    assert row == {name: value for name, value in before.items() if name not in removed} | {
        "name": "",
        "email": "",
        "folded": "",
        "message": "",
        "reason": "erased on 2026-07-01; 550 <(address)> unknown",
        "attempts": [attempt | {"text": "550 <(address)> unknown"}],
        "version": 4,
    }
    assert "ada" not in str(row).lower()
    assert decode(row).is_erased


@pytest.mark.parametrize("place", ["invitation.description", "variables.text"])
async def test_a_word_is_erased_from_a_reason_wherever_it_is_in_a_long_text(
    personal_data: MongoPersonalData, jobs: Collection[Row], place: str
) -> None:
    """The longest description has 8,000 characters, and the word is its last one."""
    refusal = "554 at BODY: the word Zanzibarproject is not allowed"
    attempt = an_attempt(kind=Kind.CONTENT, code=554, text=refusal)
    job = an_invitation(
        state=State.FAILED, dedup_key=None, attempt=1, attempts=(attempt,), reason=refusal
    )
    jobs.insert_one(encode(job))
    text = ("lorem ipsum " * 700)[: 8_000 - len(" Zanzibarproject")] + " Zanzibarproject"
    jobs.update_one({}, {"$set": {place: text}})

    await personal_data.erase_jobs("E1", after="", most=10, now=NOW)

    assert "Zanzibar" not in str(jobs.find_one())


async def test_an_erased_update_keeps_no_words_of_the_meeting_in_what_a_relay_said(
    personal_data: MongoPersonalData, jobs: Collection[Row]
) -> None:
    mail = MeetingMail(
        revision=a_revision(guests=(Person("grete@example.com", "Grete Hermann"),), reason="Zank"),
        purpose=Purpose.UPDATE,
        earlier=a_revision(summary="Kassensturz", location="Nordturm"),
    )
    said = "550 Hermann, Zank, Kassensturz, Nordturm unknown"
    refusal = an_attempt(kind=Kind.RECIPIENT, code=550, text=said)
    jobs.insert_one(encode(a_failed_job(meeting=mail, reason=said, attempts=(refusal,))))

    await personal_data.erase_jobs("E1", after="", most=10, now=NOW)

    [row] = jobs.find()
    assert row["reason"] == "erased on 2026-07-01; 550 (hidden) unknown"
    assert [attempt["text"] for attempt in row["attempts"]] == ["550 (hidden) unknown"]


@pytest.mark.parametrize("state", sorted(FINAL_STATES))
async def test_finished_jobs_are_erased(
    personal_data: MongoPersonalData, jobs: Collection[Row], state: State
) -> None:
    jobs.insert_one(encode(a_failed_job(state=state)))

    assert (await personal_data.erase_jobs("E1", after="", most=10, now=NOW)).jobs == 1
    assert await personal_data.count_unfinished("E1") == 0


@pytest.mark.parametrize("state", NOT_FINAL)
async def test_unfinished_jobs_are_counted_and_not_erased(
    personal_data: MongoPersonalData, jobs: Collection[Row], state: State
) -> None:
    before = encode(a_failed_job(state=state))
    jobs.insert_one(before)

    assert (await personal_data.erase_jobs("E1", after="", most=10, now=NOW)).jobs == 0
    assert await personal_data.count_unfinished("E1") == 1
    assert list(jobs.find()) == [before]


async def test_jobs_of_other_employees_are_not_erased(
    personal_data: MongoPersonalData, jobs: Collection[Row]
) -> None:
    before = encode(a_failed_job(empid="E2"))
    jobs.insert_one(before)

    await personal_data.erase_jobs("E1", after="", most=10, now=NOW)

    assert await personal_data.count_unfinished("E1") == 0
    assert list(jobs.find()) == [before]


async def test_erasing_continues_batch_by_batch_and_erases_each_job_once(
    personal_data: MongoPersonalData, jobs: Collection[Row]
) -> None:
    jobs.insert_many([encode(a_failed_job(id=f"job-{number}")) for number in range(5)])

    first = await personal_data.erase_jobs("E1", after="", most=3, now=NOW)
    second = await personal_data.erase_jobs("E1", after="job-2", most=3, now=NOW)
    again = await personal_data.erase_jobs("E1", after="", most=3, now=NOW)

    assert first == ErasedBatch(jobs=3, skipped=0, last="job-2")
    assert second == ErasedBatch(jobs=2, skipped=0, last=None)
    assert again == ErasedBatch(jobs=0, skipped=0, last=None)
    assert {row["version"] for row in jobs.find()} == {4}


@pytest.mark.parametrize(
    "damage", [{"version": "new"}, {"attempts": None}, {"reason": 7}, {"email": None}]
)
async def test_an_unreadable_job_is_erased(
    personal_data: MongoPersonalData, jobs: Collection[Row], damage: Row
) -> None:
    jobs.insert_one(encode(a_failed_job()) | damage)

    assert (await personal_data.erase_jobs("E1", after="", most=10, now=NOW)).jobs == 1

    [row] = jobs.find()
    assert (row["name"], row["email"], row["message"]) == ("", "", "")


async def test_erasing_reads_only_the_jobs_of_that_employee(
    mongo: Mongo, raw: Database[Row], jobs: Collection[Row]
) -> None:
    rows = [
        encode(a_failed_job(id=f"job-{number}", empid=f"E{number % 100}")) for number in range(2000)
    ]
    jobs.insert_many(rows)

    async def forget(mongo: Mongo) -> None:
        personal_data = MongoPersonalData(mongo=mongo)
        assert await personal_data.count_unfinished("E1") == 0
        assert (await personal_data.erase_jobs("E1", after="", most=500, now=NOW)).jobs == 20

    profile = await profile_commands(mongo, raw, forget)

    assert len(profile) >= 3
    assert all(each["docsExamined"] <= 20 and each["keysExamined"] <= 21 for each in profile)
    found = [each for each in profile if each["op"] == "query"]
    assert not [each for each in found if "SORT" in stages(each["execStats"])]
