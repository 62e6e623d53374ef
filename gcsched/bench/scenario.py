"""The scenarios of a load test, as data, with the bounds that no option can lift. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

MAX_COUNT = 100_000
MAX_SECONDS = 3_600
MAX_ROUNDS = 20
MAX_CONCURRENCY = 1_000
BATCH_SIZE = 500


class Kind(StrEnum):
    """What a scenario measures."""

    CALLS = "calls"
    BATCHES = "batches"
    MAILS = "mails"
    MIXED = "mixed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One load; *count* is the number of jobs in a round.

    Jobs of CALLS, BATCHES and MIXED are due in hours and are cancelled; those of MAILS are due over
    *spread_seconds*, which 0 makes one second. *is_paced*: each is scheduled shortly before.
    *reply_delay* is how long the sink holds each reply back, in seconds.
    """

    name: str
    help: str
    kind: Kind
    count: int
    rounds: int = 3
    concurrency: int = 64
    spread_seconds: int = 0
    is_paced: bool = False
    reply_delay: float = 0.0

    @property
    def is_bounded_by_load(self) -> bool:
        """Return whether the load is as fast as it can be, so that something is the limit."""
        return self.spread_seconds == 0

    @property
    def lead_seconds(self) -> float:
        """Return how long before the first due time the first call is made."""
        return 3.0 if self.is_paced else 4.0 + self.count / 750

    def with_options(
        self, count: int | None, rounds: int | None, seconds: int | None
    ) -> "Scenario":
        """Return the scenario with the options that are not None; *seconds* is for a spread."""
        spread = seconds if seconds and self.spread_seconds else self.spread_seconds
        per_second = self.count / self.spread_seconds if self.spread_seconds else 0
        longer = round(per_second * spread) or self.count
        return replace(
            self,
            count=min(count or longer, MAX_COUNT),
            rounds=min(rounds or self.rounds, MAX_ROUNDS),
            spread_seconds=min(spread, MAX_SECONDS),
        )


ALL = (
    Scenario(
        name="unary",
        help="single calls, as many as possible",
        kind=Kind.CALLS,
        count=2_000,
        concurrency=256,
    ),
    Scenario(
        name="batch",
        help=f"batches of {BATCH_SIZE} requests",
        kind=Kind.BATCHES,
        count=10_000,
        concurrency=4,
    ),
    Scenario(
        name="burst",
        help="all mails due in the same second",
        kind=Kind.MAILS,
        count=3_000,
        rounds=2,
    ),
    Scenario(
        name="even",
        help="mails spread evenly over 20 s",
        kind=Kind.MAILS,
        count=1_000,
        rounds=1,
        spread_seconds=20,
    ),
    Scenario(
        name="far",
        help="a burst to a relay 30 ms away (built-in sink only)",
        kind=Kind.MAILS,
        count=3_000,
        rounds=1,
        reply_delay=0.03,
    ),
    Scenario(
        name="mixed",
        help="calls with reads and cancels among them",
        kind=Kind.MIXED,
        count=3_000,
        rounds=1,
    ),
    Scenario(
        name="soak",
        help="50 mails per second, each scheduled 3 s before, for a minute",
        kind=Kind.MAILS,
        count=3_000,
        rounds=1,
        spread_seconds=60,
        is_paced=True,
    ),
)
SCENARIOS: Mapping[str, Scenario] = {each.name: each for each in ALL}
DEFAULT_NAMES = ("unary", "batch", "burst", "even", "far")
