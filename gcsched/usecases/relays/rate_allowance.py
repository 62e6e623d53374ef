"""What a relay may get: told by a bucket of this process, or by one that all replicas share."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from gcsched.domain.token_bucket import SHARED_ANSWERS_WITHIN_SECONDS, Bucket, Grant, Speed
from gcsched.errors import BellUnavailable
from gcsched.usecases.ports import Allowance

REPLICAS_ASSUMED = 4
QUIET_SECONDS = 2.0


@dataclass(kw_only=True, eq=False)
class OwnAllowance:
    """A bucket that nobody else knows of."""

    clock: Callable[[], float] = time.monotonic
    _bucket: Bucket = field(default_factory=Bucket, init=False)
    _line: Bucket = field(default_factory=Bucket, init=False)

    def share(self) -> float:
        return 1.0

    async def reserve(self, most: int, speed: Speed) -> Grant:
        self._bucket, grant = self._bucket.take(most, speed, now=self.clock())
        return grant

    async def refund(self, count: int, speed: Speed) -> None:
        self._bucket = self._bucket.give_back(count, speed)

    async def slot(self, speed: Speed, *, patience: float) -> float | None:
        return self.slot_after(0.0, speed, patience=patience)

    def slot_after(self, wait: float, speed: Speed, *, patience: float) -> float | None:
        """Return a mail's slot, in *wait* seconds at the earliest; None: later than *patience*."""
        now, left = self.clock() + wait, patience - wait
        self._line, more = self._line.line_up(speed, patience=left, now=now)
        return None if more is None else wait + more


@dataclass(kw_only=True, eq=False)
class SharedAllowance:
    """The *shared* bucket; while it is away, a quarter of the speed from one of our own.

    A quarter, because nobody knows then what the others send: up to four replicas stay below the
    limit together. A bucket that is away is asked again after a moment, not before each claim.

    Whatever the shared one says, this process keeps to the whole speed by itself, too: a shared
    one that is emptied, restored or has a clock that jumps would let through a burst each time.
    """

    shared: Allowance
    clock: Callable[[], float] = time.monotonic
    _alone: OwnAllowance = field(init=False)
    _own: OwnAllowance = field(init=False)
    _alone_until: float = field(default=0.0, init=False)
    _is_alone: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self._alone = OwnAllowance(clock=self.clock)
        self._own = OwnAllowance(clock=self.clock)

    def share(self) -> float:
        """Tell which part of the speed is kept to: all of it, or ours while we are alone."""
        return 1 / REPLICAS_ASSUMED if self._is_alone else 1.0

    async def reserve(self, most: int, speed: Speed) -> Grant:
        own = await self._own.reserve(most, speed)
        if own.count == 0:
            return own
        grant = Grant(count=0, wait_seconds=0.0)
        try:
            grant = await self._reserve(own.count, speed)
        finally:
            await self._own.refund(own.count - grant.count, speed)
        return grant if grant.count < own.count else own

    async def _reserve(self, most: int, speed: Speed) -> Grant:
        if self.clock() >= self._alone_until:
            try:
                grant = await self.shared.reserve(most, speed)
            except BellUnavailable as error:
                self._be_alone(error)
            else:
                self._be_one_of_many()
                return grant
        return await self._alone.reserve(most, speed.part(REPLICAS_ASSUMED))

    async def slot(self, speed: Speed, *, patience: float) -> float | None:
        wait = await self._slot(speed, patience=patience)
        if wait is None:
            return None
        # Answers of the shared bucket differ in how long they take: our line may differ as much.
        return self._own.slot_after(wait, speed, patience=patience + SHARED_ANSWERS_WITHIN_SECONDS)

    async def _slot(self, speed: Speed, *, patience: float) -> float | None:
        if self.clock() >= self._alone_until:
            try:
                return await self.shared.slot(speed, patience=patience)
            except BellUnavailable as error:
                self._be_alone(error)
        return await self._alone.slot(speed.part(REPLICAS_ASSUMED), patience=patience)

    async def refund(self, count: int, speed: Speed) -> None:
        await self._own.refund(count, speed)
        if self._is_alone:
            await self._alone.refund(count, speed.part(REPLICAS_ASSUMED))
            return
        try:
            await self.shared.refund(count, speed)
        except BellUnavailable as error:
            # What it still holds as taken makes the next mails a little later.
            self._be_alone(error)

    def _be_alone(self, error: BellUnavailable) -> None:
        self._alone_until = self.clock() + QUIET_SECONDS
        if not self._is_alone:
            structlog.get_logger().warning(
                "rate limit kept without the others", error=error.for_log
            )
        self._is_alone = True

    def _be_one_of_many(self) -> None:
        if self._is_alone:
            structlog.get_logger().info("rate limit shared again")
        self._is_alone = False
