"""When acts are recorded, and what becomes of an act whose record or end cannot be stored."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from gcsched.domain.audit import AuditEntry, AuditFilter, AuditOutcome, Topic
from gcsched.errors import StoreRefused, StoreUnavailable, UnknownSuppression
from gcsched.rpc.status import reason_of
from gcsched.usecases import audit as audits
from gcsched.usecases.audit import Audit
from gcsched.usecases.ports import AuditPage
from tests.support.background import in_background
from tests.support.builders import AN_ACTOR, NOW, FixedClock
from tests.support.log_events import Events, find_events
from tests.support.wait import until

SOON = timedelta(seconds=10)
TOPIC = Topic(details="state=SCHEDULED", subjects=("digest",))


@dataclass
class FakeAuditStore:
    """Entries in a mapping; each of *failures* is raised once, by the next write of that kind."""

    entries: dict[str, AuditEntry] = field(default_factory=dict)
    insert_failures: list[StoreUnavailable] = field(default_factory=list)
    end_failures: list[StoreUnavailable] = field(default_factory=list)
    is_silent: bool = False
    batches: list[int] = field(default_factory=list)

    async def insert(self, entry: AuditEntry) -> None:
        if self.insert_failures:
            raise self.insert_failures.pop(0)
        await self._wait_if_silent()
        self.entries[entry.id] = entry

    async def complete(self, entries: Sequence[AuditEntry]) -> None:
        if self.end_failures:
            raise self.end_failures.pop(0)
        await self._wait_if_silent()
        self.batches.append(len(entries))
        self.entries |= {each.id: each for each in entries if each.id in self.entries}

    async def read_page(self, entry_filter: AuditFilter, after: str, *, most: int) -> AuditPage:
        raise AssertionError((entry_filter, after, most))

    async def _wait_if_silent(self) -> None:
        if self.is_silent:
            await asyncio.Event().wait()

    @property
    def ends(self) -> list[tuple[AuditOutcome, int, str]]:
        return [(each.outcome, each.count, each.error) for each in self.entries.values()]


STARTED = (AuditOutcome.STARTED, 0, "")
DONE = (AuditOutcome.DONE, 3, "")


@pytest.fixture
def store() -> FakeAuditStore:
    return FakeAuditStore()


@pytest.fixture
def audit(store: FakeAuditStore) -> Audit:
    return Audit(store=store, reason_of=reason_of, now=FixedClock())


async def act_once(audit: Audit, *, keeps_trying: bool = False, within: timedelta = SOON) -> str:
    async with audit.record(AN_ACTOR, TOPIC, within=within, keeps_trying=keeps_trying) as act:
        act.set_count(3)
        return "made"


async def test_an_act_is_recorded_before_and_completed_after(
    audit: Audit, store: FakeAuditStore
) -> None:
    async with audit.record(AN_ACTOR, TOPIC, within=SOON) as act:
        assert store.ends == [STARTED]
        assert timedelta(0) < act.time_left <= SOON
        act.set_count(3)

    [entry] = store.entries.values()
    assert store.ends == [DONE]
    assert (entry.client, entry.via, entry.method) == (AN_ACTOR.name, "grpc", "CancelJob")
    assert (entry.details, entry.subjects) == (TOPIC.details, TOPIC.subjects)
    assert (entry.time, entry.end_time) == (NOW, NOW)


async def test_an_act_that_fails_ends_with_its_reason_and_what_it_had_changed(
    audit: Audit, store: FakeAuditStore
) -> None:
    async def fail(error: Exception) -> None:
        async with audit.record(AN_ACTOR, TOPIC, within=SOON) as act:
            act.set_count(2)
            raise error

    with pytest.raises(UnknownSuppression):
        await fail(UnknownSuppression())
    with pytest.raises(ZeroDivisionError):
        await fail(ZeroDivisionError())

    assert store.ends == [
        (AuditOutcome.ERROR, 2, "SUPPRESSION_NOT_FOUND"),
        (AuditOutcome.ERROR, 2, "INTERNAL"),
    ]


async def test_an_act_that_cannot_be_recorded_is_not_made(
    audit: Audit, store: FakeAuditStore
) -> None:
    refused = StoreRefused("recording", "OTHER", "no rights")
    store.insert_failures = [refused]

    with pytest.raises(StoreRefused) as raised:
        await act_once(audit)

    assert raised.value is refused
    store.is_silent = True
    with pytest.raises(StoreUnavailable):
        await act_once(audit, within=timedelta(milliseconds=20))
    assert store.entries == {}


async def test_an_act_that_keeps_trying_is_recorded_when_the_store_is_back(
    audit: Audit, store: FakeAuditStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audits, "BEGIN_INTERVAL", timedelta(milliseconds=5))
    store.insert_failures = [StoreUnavailable("recording")] * 3

    assert await act_once(audit, keeps_trying=True) == "made"

    assert store.ends == [DONE]


async def test_it_gives_up_with_the_last_problem_when_the_time_is_over(
    audit: Audit, store: FakeAuditStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audits, "BEGIN_INTERVAL", timedelta(milliseconds=5))
    store.insert_failures = [StoreRefused("recording", "OTHER", "no rights")]
    store.is_silent = True

    with pytest.raises(StoreRefused):
        await act_once(audit, keeps_trying=True, within=timedelta(milliseconds=50))


async def test_a_record_that_was_stored_after_all_does_not_stay_started(
    audit: Audit, store: FakeAuditStore
) -> None:
    class Unconfirmed(FakeAuditStore):
        async def insert(self, entry: AuditEntry) -> None:
            self.entries[entry.id] = entry
            raise StoreUnavailable("recording")

    unconfirmed = Unconfirmed()
    audit.store = unconfirmed

    with pytest.raises(StoreUnavailable):
        await act_once(audit)
    await audit.flush()

    assert unconfirmed.ends == [(AuditOutcome.ERROR, 0, "STORE_UNAVAILABLE")]
    assert store.entries == {}


async def test_an_end_that_cannot_be_stored_changes_no_answer_and_is_stored_later(
    audit: Audit, store: FakeAuditStore, events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audits, "RETRY_INTERVAL_SECONDS", 0.01)
    monkeypatch.setattr(audits, "COMPLETE_WITHIN_SECONDS", 0.02)
    store.end_failures = [StoreUnavailable("completing")] * 3

    assert await act_once(audit) == "made"

    assert store.ends == [STARTED]
    async with in_background(audit.run):
        await until(lambda: store.ends == [DONE])
    assert find_events(events, "audit entry not completed, retrying")
    assert find_events(events, "audit entries completed")


async def test_a_silent_store_does_not_keep_the_answer_back(
    audit: Audit, store: FakeAuditStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audits, "COMPLETE_WITHIN_SECONDS", 0.02)

    async with audit.record(AN_ACTOR, TOPIC, within=SOON) as act:
        act.set_count(3)
        store.is_silent = True

    store.is_silent = False
    assert store.ends == [STARTED]
    await audit.flush()
    assert store.ends == [DONE]


async def test_the_end_of_a_caller_that_has_left_is_stored_in_the_background(
    audit: Audit, store: FakeAuditStore
) -> None:
    has_begun = asyncio.Event()

    async def act_forever() -> None:
        async with audit.record(AN_ACTOR, TOPIC, within=SOON) as act:
            act.set_count(1)
            has_begun.set()
            await asyncio.Event().wait()

    call = asyncio.create_task(act_forever())
    await has_begun.wait()
    call.cancel()
    await asyncio.wait({call})

    assert call.cancelled()
    await audit.flush()
    assert store.ends == [(AuditOutcome.ERROR, 1, "CANCELLED")]


async def test_the_ends_that_wait_are_limited_and_stored_in_batches_at_the_stop(
    audit: Audit, store: FakeAuditStore, events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audits, "MAX_WAITING", 5)
    monkeypatch.setattr(audits, "BATCH_SIZE", 2)
    store.end_failures = [StoreUnavailable("completing")] * 6
    for _ in range(6):
        await act_once(audit)

    async with in_background(audit.run):
        pass  # stopped at once

    assert sorted(store.ends) == sorted([STARTED, *[DONE] * 5])
    assert store.batches == [2, 2, 1]
    [left] = find_events(events, "audit entry left open")
    assert store.entries[str(left["entry"])].outcome is AuditOutcome.STARTED
