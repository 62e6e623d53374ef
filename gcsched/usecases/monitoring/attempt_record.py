"""What each relay made of the mails of the last hour, for the operators who look at it."""

import re
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from gcsched.domain.attempt import Attempt
from gcsched.domain.job import Job
from gcsched.domain.masking import mask
from gcsched.domain.smtp_reply import Kind
from gcsched.usecases.monitoring.recent_counts import HourlyCounts

MAX_REFUSALS = 20
MAX_TEXT_LENGTH = 300
MASKED_PER_SECOND = 10
CHANGING_WORD = re.compile(r"\S*\d\S*")

RefusalKey = tuple[Kind, int | None, str | None, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusalReport:
    """Refusals that are alike: how many since the start, and the latest, with masked *text*."""

    kind: Kind
    code: int | None
    enhanced_code: str | None
    text: str
    count: int
    last_time: datetime


@dataclass(kw_only=True, eq=False)
class AttemptRecord:
    """Counts the attempts of an hour by relay and kind, and keeps the latest different refusals.

    Each relay has at most twenty refusals. Two are alike if they differ only in words with digits,
    such as the ids of mails in a queue. To mask a text is expensive, so the texts of at most ten
    refusals a second are read; the others count among the attempts only. *clock* is monotonic.
    """

    clock: Callable[[], float] = time.monotonic
    _attempts: HourlyCounts[tuple[str, Kind]] = field(init=False)
    _refusals: dict[str, dict[RefusalKey, RefusalReport]] = field(default_factory=dict, init=False)
    _second: int = field(default=0, init=False)
    _masked: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._attempts = HourlyCounts(clock=self.clock)

    def record(self, jobs: Sequence[Job]) -> None:
        """Record the attempts that led to *jobs*."""
        for job in jobs:
            attempt = job.new_attempt
            if attempt is None:
                continue
            self._attempts.add((attempt.relay, attempt.kind))
            if attempt.kind is not Kind.ACCEPTED and self._may_mask():
                self._record_refusal(attempt, job)

    def count_attempts(self, relay: str) -> Counter[Kind]:
        """Return the attempts by *relay* of the last hour."""
        return Counter(
            {kind: n for (name, kind), n in self._attempts.total().items() if name == relay}
        )

    def list_refusals(self, relay: str) -> list[RefusalReport]:
        """Return the latest different refusals by *relay*, the latest first."""
        return [*self._refusals.get(relay, {}).values()][::-1]

    def _may_mask(self) -> bool:
        second = int(self.clock())
        if second != self._second:
            self._second, self._masked = second, 0
        self._masked += 1
        return self._masked <= MASKED_PER_SECOND

    def _record_refusal(self, attempt: Attempt, job: Job) -> None:
        text = mask(attempt.text, job)[:MAX_TEXT_LENGTH]
        alike = CHANGING_WORD.sub("#", text)
        key: RefusalKey = (attempt.kind, attempt.code, attempt.enhanced_code, alike)
        latest = RefusalReport(
            kind=attempt.kind,
            code=attempt.code,
            enhanced_code=attempt.enhanced_code,
            text=text,
            count=1,
            last_time=attempt.end_time,
        )
        kept = self._refusals.setdefault(attempt.relay, {})
        # Taken out and put in again: the order is that of the latest ones.
        if (before := kept.pop(key, None)) is not None:
            latest = replace(latest, count=before.count + 1)
        kept[key] = latest
        if len(kept) > MAX_REFUSALS:
            del kept[next(iter(kept))]
