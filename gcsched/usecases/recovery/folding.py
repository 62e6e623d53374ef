"""Fills the folded form of stored addresses, by which they are found in any spelling."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta

import structlog

from gcsched.errors import StoreUnavailable
from gcsched.usecases.loops import run_periodically
from gcsched.usecases.ports import AddressStore, FoldedAddresses
from gcsched.usecases.problem_log import ProblemLog

EVERY = timedelta(seconds=10)  # as often as a sweep
MAX_BATCH_SIZE = 500
MAX_REST_SECONDS = 1.0

CHECKED_STORES = (AddressStore.SUPPRESSIONS, AddressStore.RECIPIENTS)
"""The stores whose folded form may be wrong: a process of the previous version changes the address
of a recipient without it, and an operator may change any document. The address of a job changes
only when it is erased."""


@dataclass(kw_only=True, eq=False)
class Folding:
    """Fills missing folded addresses page by page, repeatedly: other processes may store more.

    Any number of processes may do so at once: a document is written only if it has not changed.
    After each page it rests as long as the page took, so at least half of the store's time is left
    for mails. Wrong values are looked for once after the start, and again whenever one was missing:
    only then does a process of the previous version run, which stores jobs without the field.
    """

    store: FoldedAddresses
    rest: Callable[[float], Awaitable[None]] = asyncio.sleep
    clock: Callable[[], float] = time.monotonic
    _checking: dict[AddressStore, str] = field(init=False)
    _needs_recheck: bool = field(default=False, init=False)
    _logged: set[AddressStore] = field(default_factory=set, init=False)
    _problem_log: ProblemLog = field(init=False)

    def __post_init__(self) -> None:
        self._checking = dict.fromkeys(CHECKED_STORES, "")
        self._problem_log = ProblemLog(
            event="address folding failed, retrying", end_event="address folding resumed"
        )

    async def run(self, stop: asyncio.Event) -> None:
        await run_periodically(self.try_fold, every=EVERY, stop=stop)

    async def try_fold(self) -> None:
        """Fold once; if the store is away, the next run tries again."""
        try:
            await self.fold()
        except StoreUnavailable as error:
            self._problem_log.record_failure(error.for_log)
        else:
            self._problem_log.record_success()

    async def fold(self) -> None:
        """Fill all missing values, and check one more page for wrong ones."""
        await self._empty_erased()
        for kind in AddressStore:
            await self._fill(kind)
        await self._check()

    async def _empty_erased(self) -> None:
        while await self.store.clear_erased(most=MAX_BATCH_SIZE) == MAX_BATCH_SIZE:
            await self.rest(0)

    async def _check(self) -> None:
        """Check the next page of each store that is not finished."""
        for kind, after in list(self._checking.items()):
            page = await self.store.check(kind, after, most=MAX_BATCH_SIZE)
            if page.last is None:
                del self._checking[kind]
            else:
                self._checking[kind] = page.last
        if self._needs_recheck and not self._checking:
            # From the next run on: a job is stored a moment before its recipient.
            self._checking, self._needs_recheck = dict.fromkeys(CHECKED_STORES, ""), False

    async def _fill(self, kind: AddressStore) -> None:
        """Fill until the last page; documents that cannot be filled are tried again next time."""
        count, left, after = 0, 0, ""
        while True:
            started = self.clock()
            page = await self.store.fill(kind, after, most=MAX_BATCH_SIZE)
            if page is None:
                return
            self._needs_recheck = self._needs_recheck or page.count > 0
            count, left = count + page.count, left + page.failed
            if page.last is None:
                break
            after = page.last
            await self.rest(min(self.clock() - started, MAX_REST_SECONDS))
        if (count or left) and kind not in self._logged:
            # Logged once: later ones come from processes of the previous version, all the time.
            log = structlog.get_logger()
            log.info("addresses folded", collection=kind.value, count=count, left=left)
        self._logged.add(kind)
