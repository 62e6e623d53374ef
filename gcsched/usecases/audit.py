"""The audit of acts on many jobs or on the whole: recorded before the act, completed after it."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial

import structlog

from gcsched.domain.actor import Actor
from gcsched.domain.audit import AuditEntry, AuditFilter, AuditOutcome, Topic
from gcsched.domain.ids import new_id
from gcsched.errors import StoreUnavailable
from gcsched.usecases.loops import sleep_unless
from gcsched.usecases.ports import AuditPage, AuditStore, Clock
from gcsched.usecases.problem_log import ProblemLog

COMPLETE_WITHIN_SECONDS = 1.0
RETRY_INTERVAL_SECONDS = 1.0
BEGIN_INTERVAL = timedelta(seconds=0.5)
MAX_WAITING = 1_000
BATCH_SIZE = 100
RECORDING = "recording the call in the audit"


@dataclass(slots=True, kw_only=True, eq=False)
class Act:
    """An act under way; it sets *count* to how many jobs or documents it has changed.

    *until* is when its time is over, by ``time.monotonic()``.
    """

    entry: AuditEntry
    until: float
    count: int = 0

    @property
    def time_left(self) -> timedelta:
        return timedelta(seconds=max(0.0, self.until - time.monotonic()))

    def set_count(self, count: int) -> None:
        self.count = count


@dataclass(slots=True, kw_only=True, eq=False)
class Audit:
    """Records acts; an act that cannot be recorded is not made.

    An act whose end cannot be stored has been made all the same, so its answer does not depend on
    that: `run` stores it later. If the process dies before, the entry stays STARTED.
    """

    store: AuditStore
    reason_of: Callable[[BaseException], str]
    now: Clock
    _waiting: dict[str, AuditEntry] = field(default_factory=dict, init=False)
    _problem_log: ProblemLog = field(
        default_factory=partial(
            ProblemLog,
            event="audit entry not completed, retrying",
            end_event="audit entries completed",
        ),
        init=False,
    )

    @asynccontextmanager
    async def record(
        self, actor: Actor, topic: Topic, *, within: timedelta, keeps_trying: bool = False
    ) -> AsyncIterator[Act]:
        """Record the act of the block by *actor*. Raises StoreUnavailable before the block.

        *within* is the time for the record and for the act. With *keeps_trying* the record is tried
        again while the store is away, as the act itself is.
        """
        until = time.monotonic() + within.total_seconds()
        act = Act(entry=self._create_entry(actor, topic), until=until)
        await self._begin(act, keeps_trying=keeps_trying)
        try:
            yield act
        except asyncio.CancelledError as error:
            self._keep(self._end(act, error))  # the caller waits no more: stored by `run`
            raise
        except Exception as error:
            await self._complete(self._end(act, error))
            raise
        await self._complete(self._end(act))

    async def read_page(self, entry_filter: AuditFilter, after: str, *, most: int) -> AuditPage:
        """Return at most *most* entries that follow the one with the id *after*."""
        return await self.store.read_page(entry_filter, after, most=most)

    async def run(self, stop: asyncio.Event) -> None:
        """Store, until *stop* and once more then, the ends that could not be stored at once."""
        while not stop.is_set():
            await sleep_unless(stop, RETRY_INTERVAL_SECONDS)
            await self.flush()

    async def flush(self) -> None:
        """Store the ends that wait; keep them if the store is away."""
        while self._waiting:
            batch = [*self._waiting.values()][:BATCH_SIZE]
            try:
                await self.store.complete(batch)
            except StoreUnavailable as error:
                self._problem_log.record_failure(error.for_log, waiting=len(self._waiting))
                return
            self._problem_log.record_success()
            for entry in batch:
                self._waiting.pop(entry.id, None)

    def _create_entry(self, actor: Actor, topic: Topic) -> AuditEntry:
        now = self.now()
        return AuditEntry(
            id=new_id(now),
            time=now,
            client=actor.name,
            via=actor.via,
            method=actor.method,
            details=topic.details,
            subjects=topic.subjects,
        )

    async def _begin(self, act: Act, *, keeps_trying: bool) -> None:
        try:
            failure = await self._insert(act, keeps_trying=keeps_trying)
        except asyncio.CancelledError as error:
            self._keep(self._end(act, error))
            raise
        if failure is not None:
            # It may be stored all the same, and must not look like an act that was made.
            self._keep(self._end(act, failure))
            raise failure

    async def _insert(self, act: Act, *, keeps_trying: bool) -> StoreUnavailable | None:
        """Store the entry of *act*; return why that failed, or None."""
        failure: StoreUnavailable | None = None
        while True:
            try:
                async with asyncio.timeout(act.time_left.total_seconds()):
                    await self.store.insert(act.entry)
            except StoreUnavailable as error:
                failure = error
            except TimeoutError:
                return failure or StoreUnavailable(RECORDING)
            else:
                return None
            if not keeps_trying or act.time_left < BEGIN_INTERVAL:
                return failure
            await asyncio.sleep(BEGIN_INTERVAL.total_seconds())

    def _end(self, act: Act, error: BaseException | None = None) -> AuditEntry:
        return replace(
            act.entry,
            outcome=AuditOutcome.DONE if error is None else AuditOutcome.ERROR,
            count=act.count,
            error="" if error is None else self.reason_of(error),
            end_time=self.now(),
        )

    async def _complete(self, entry: AuditEntry) -> None:
        """Store how an act has ended, or leave that to `run`: the answer must not wait for it."""
        self._keep(entry)
        with suppress(StoreUnavailable, TimeoutError):  # `run` tries again
            async with asyncio.timeout(COMPLETE_WITHIN_SECONDS):
                await self.store.complete([entry])
            self._waiting.pop(entry.id, None)

    def _keep(self, entry: AuditEntry) -> None:
        """Keep the end of an act for `run` to store; above MAX_WAITING it stays STARTED."""
        if len(self._waiting) < MAX_WAITING:
            self._waiting[entry.id] = entry
        else:
            structlog.get_logger().error(
                "audit entry left open", entry=entry.id, method=entry.method
            )
