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
    """Keeps whose details were saved, group by group; can be away after some groups."""

    def __init__(self) -> None:
        self.groups: list[list[str]] = []
        self.tries = 0
        self.takes: int | None = None

    async def save(self, jobs: Sequence[Job]) -> None:
        self.tries += 1
        if self.takes is not None and len(self.groups) >= self.takes:
            raise StoreUnavailable("keeping user details")
        self.groups.append([job.id for job in jobs])

    @property
    def saved_ids(self) -> list[str]:
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


async def test_what_was_noted_is_saved_in_bulk(
    store: FakeRecipients, writer: RecipientWriter
) -> None:
    ids = add_jobs(writer, 1201)

    await writer.flush()

    assert [len(group) for group in store.groups] == [500, 500, 201]
    assert store.saved_ids == ids


async def test_what_was_saved_is_not_saved_again(
    store: FakeRecipients, writer: RecipientWriter
) -> None:
    add_jobs(writer, 1)

    await writer.flush()
    await writer.flush()

    assert store.groups == [["job-0"]]


async def test_nothing_noted_is_no_write(store: FakeRecipients, writer: RecipientWriter) -> None:
    await writer.flush()

    assert store.tries == 0


async def test_what_the_store_does_not_take_waits_for_the_next_time(
    store: FakeRecipients, writer: RecipientWriter
) -> None:
    ids = add_jobs(writer, 1201)
    store.takes = 1

    await writer.flush()
    saved_before = list(store.saved_ids)
    store.takes = None
    await writer.flush()

    assert saved_before == ids[:500]
    assert store.saved_ids == ids


async def test_details_are_saved_every_now_and_then(
    store: FakeRecipients, writer: RecipientWriter
) -> None:
    async with in_background(writer.run):
        add_jobs(writer, 1, first=1)
        await until(lambda: store.groups == [["job-1"]])
        add_jobs(writer, 1, first=2)
        await until(lambda: store.groups == [["job-1"], ["job-2"]])

    assert store.saved_ids == ["job-1", "job-2"]


async def test_what_waits_at_the_stop_is_saved_at_once(store: FakeRecipients) -> None:
    writer = RecipientWriter(store=store, interval=timedelta(hours=1))
    loop = asyncio.get_running_loop()
    started = loop.time()

    async with in_background(writer.run):
        add_jobs(writer, 1)

    assert store.saved_ids == ["job-0"]
    assert loop.time() - started < 1


async def test_a_store_that_is_away_does_not_hold_up_the_stop(store: FakeRecipients) -> None:
    writer = RecipientWriter(store=store, interval=timedelta(hours=1))
    store.takes = 0

    async with in_background(writer.run):
        add_jobs(writer, 1)

    assert store.tries == 1


async def test_a_flood_is_bounded(
    store: FakeRecipients, writer: RecipientWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gcsched.usecases.admission.recipient_writer.MAX_WAITING", 3)
    add_jobs(writer, 10)

    await writer.flush()

    assert len(store.saved_ids) == 3


async def test_in_a_flood_the_newest_are_not_noted(
    store: FakeRecipients, writer: RecipientWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gcsched.usecases.admission.recipient_writer.MAX_WAITING", 3)
    add_jobs(writer, 10)

    await writer.flush()

    assert store.saved_ids == ["job-0", "job-1", "job-2"]


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


async def test_a_batch_that_failed_is_tried_again_as_it_was(store: FakeRecipients) -> None:
    """The store knows it by that, and counts it once."""
    writer = RecipientWriter(store=store)
    store.takes = 0
    add_jobs(writer, 2)
    await writer.flush()
    add_jobs(writer, 2, first=2)
    store.takes = None

    await writer.flush()

    assert store.groups == [["job-0", "job-1"], ["job-2", "job-3"]]
