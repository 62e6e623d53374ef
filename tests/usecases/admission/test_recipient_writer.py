import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest

from gcsched.domain.job import Job
from gcsched.errors import StoreUnavailable
from gcsched.usecases.admission.recipient_writer import RecipientWriter
from tests.support.background import in_background
from tests.support.builders import a_job
from tests.support.wait import until


class FakeRecipients:
    """Records the jobs whose details were saved, by batch; can be away after some batches."""

    def __init__(self) -> None:
        self.groups: list[list[str]] = []
        self.tries = 0
        self.takes: int | None = None

    async def save(self, jobs: Sequence[Job]) -> None:
        self.tries += 1
        if self.takes is not None and len(self.groups) >= self.takes:
            raise StoreUnavailable("storing user details")
        self.groups.append([job.id for job in jobs])

    @property
    def job_ids(self) -> list[str]:
        return [job_id for group in self.groups for job_id in group]


@pytest.fixture
def store() -> FakeRecipients:
    return FakeRecipients()


@pytest.fixture
def writer(store: FakeRecipients) -> RecipientWriter:
    return RecipientWriter(store=store, interval=timedelta(milliseconds=5))


def add_jobs(writer: RecipientWriter, count: int, *, first: int = 0) -> list[str]:
    ids = [f"job-{number}" for number in range(first, first + count)]
    for job_id in ids:
        writer.add(a_job(id=job_id))
    return ids


async def test_added_details_are_saved_in_batches(
    store: FakeRecipients, writer: RecipientWriter
) -> None:
    ids = add_jobs(writer, 1201)

    await writer.flush()

    assert [len(group) for group in store.groups] == [500, 500, 201]
    assert store.job_ids == ids


async def test_saved_details_are_not_saved_again(
    store: FakeRecipients, writer: RecipientWriter
) -> None:
    add_jobs(writer, 1)

    await writer.flush()
    await writer.flush()

    assert store.groups == [["job-0"]]


async def test_nothing_is_written_if_nothing_was_added(
    store: FakeRecipients, writer: RecipientWriter
) -> None:
    await writer.flush()

    assert store.tries == 0


async def test_details_that_the_store_does_not_take_wait_for_the_next_time(
    store: FakeRecipients, writer: RecipientWriter
) -> None:
    ids = add_jobs(writer, 1201)
    store.takes = 1

    await writer.flush()
    saved_before = list(store.job_ids)
    store.takes = None
    await writer.flush()

    assert saved_before == ids[:500]
    assert store.job_ids == ids


async def test_details_are_saved_periodically(
    store: FakeRecipients, writer: RecipientWriter
) -> None:
    async with in_background(writer.run):
        add_jobs(writer, 1, first=1)
        await until(lambda: store.groups == [["job-1"]])
        add_jobs(writer, 1, first=2)
        await until(lambda: store.groups == [["job-1"], ["job-2"]])

    assert store.job_ids == ["job-1", "job-2"]


async def test_waiting_details_are_saved_at_the_stop(store: FakeRecipients) -> None:
    writer = RecipientWriter(store=store, interval=timedelta(hours=1))
    loop = asyncio.get_running_loop()
    started = loop.time()

    async with in_background(writer.run):
        add_jobs(writer, 1)

    assert store.job_ids == ["job-0"]
    assert loop.time() - started < 1


async def test_a_store_that_is_away_does_not_delay_the_stop(store: FakeRecipients) -> None:
    writer = RecipientWriter(store=store, interval=timedelta(hours=1))
    store.takes = 0

    async with in_background(writer.run):
        add_jobs(writer, 1)

    assert store.tries == 1


async def test_the_number_of_waiting_details_is_bounded(
    store: FakeRecipients, writer: RecipientWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gcsched.usecases.admission.recipient_writer.MAX_WAITING", 3)
    add_jobs(writer, 10)

    await writer.flush()

    assert len(store.job_ids) == 3


async def test_above_the_limit_the_newest_details_are_dropped(
    store: FakeRecipients, writer: RecipientWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gcsched.usecases.admission.recipient_writer.MAX_WAITING", 3)
    add_jobs(writer, 10)

    await writer.flush()

    assert store.job_ids == ["job-0", "job-1", "job-2"]


async def test_the_pause_after_failures_grows_and_ends_with_them(store: FakeRecipients) -> None:
    writer, pauses = RecipientWriter(store=store), []
    store.takes = 0

    for number in range(8):
        add_jobs(writer, 1, first=number)
        await writer.flush()
        pauses.append(writer.delay.total_seconds())
    store.takes = None
    await writer.flush()

    assert pauses == [0.4, 0.8, 1.6, 3.2, 5, 5, 5, 5]
    assert writer.delay == timedelta(milliseconds=200)


async def test_a_failed_batch_is_retried_unchanged(store: FakeRecipients) -> None:
    """The store recognizes a repeated batch, and counts it once."""
    writer = RecipientWriter(store=store)
    store.takes = 0
    add_jobs(writer, 2)
    await writer.flush()
    add_jobs(writer, 2, first=2)
    store.takes = None

    await writer.flush()

    assert store.groups == [["job-0", "job-1"], ["job-2", "job-3"]]
