"""The scenarios of a load test, as data, with the bounds that no option can lift. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from gcsched.bench.failure import BenchFailed

MAX_COUNT = 100_000
MAX_SECONDS = 3_600
MAX_ROUNDS = 20
MAX_CONCURRENCY = 1_000
BATCH_SIZE = 500
LEAD_SHARE = 1.4
"""How much longer than at the measured rate the calls may take: they wait for a busy machine."""


class ScenarioKind(StrEnum):
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
    kind: ScenarioKind
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

    def choose_lead(self, calls_per_s: float) -> float:
        """Return how long before the first due time the first call is made, in seconds.

        No mail of a load that is not paced is due before all are scheduled at that rate.
        """
        return 3.0 if self.is_paced else 4.0 + LEAD_SHARE * self.count / calls_per_s

    def with_options(
        self, count: int | None, rounds: int | None, seconds: int | None
    ) -> "Scenario":
        """Return the scenario with the options that are not None; *seconds* is for a spread.

        A spread keeps its rate if there is no *count*. Raises BenchFailed beyond a bound.
        """
        for option, given, most in (
            ("--count", count, MAX_COUNT),
            ("--rounds", rounds, MAX_ROUNDS),
            ("--seconds", seconds, MAX_SECONDS),
        ):
            if given is not None and given > most:
                raise BenchFailed(f"{option} {given:,}: at most {most:,} are possible")
        spread = seconds if seconds and self.spread_seconds else self.spread_seconds
        return replace(
            self,
            count=count or self._count_within(spread),
            rounds=rounds or self.rounds,
            spread_seconds=spread,
        )

    def _count_within(self, spread: int) -> int:
        """Return how many mails *spread* seconds have at the scenario's rate."""
        if not self.spread_seconds:
            return self.count
        per_second = self.count / self.spread_seconds
        if (found := round(per_second * spread)) > MAX_COUNT:
            raise BenchFailed(
                f"{self.name} makes {per_second:.0f} mails per second, {found:,} in {spread:,} s,"
                f" and at most {MAX_COUNT:,} are possible: choose --seconds up to"
                f" {int(MAX_COUNT / per_second):,}, or a lower rate by --count as well"
            )
        return found


ALL = (
    Scenario(
        name="unary",
        help="single calls, as many as possible",
        kind=ScenarioKind.CALLS,
        count=2_000,
        concurrency=256,
    ),
    Scenario(
        name="batch",
        help=f"batches of {BATCH_SIZE} requests",
        kind=ScenarioKind.BATCHES,
        count=10_000,
        concurrency=4,
    ),
    Scenario(
        name="burst",
        help="all mails due in the same second",
        kind=ScenarioKind.MAILS,
        count=3_000,
        rounds=2,
    ),
    Scenario(
        name="even",
        help="mails spread evenly over 20 s",
        kind=ScenarioKind.MAILS,
        count=1_000,
        rounds=1,
        spread_seconds=20,
    ),
    Scenario(
        name="far",
        help="a burst to a relay 30 ms away (built-in sink only)",
        kind=ScenarioKind.MAILS,
        count=3_000,
        rounds=1,
        reply_delay=0.03,
    ),
    Scenario(
        name="mixed",
        help="calls with reads and cancels among them",
        kind=ScenarioKind.MIXED,
        count=3_000,
        rounds=1,
    ),
    Scenario(
        name="soak",
        help="50 mails per second, each scheduled 3 s before, for a minute",
        kind=ScenarioKind.MAILS,
        count=3_000,
        rounds=1,
        spread_seconds=60,
        is_paced=True,
    ),
)
SCENARIOS: Mapping[str, Scenario] = {each.name: each for each in ALL}
DEFAULT_NAMES = ("unary", "batch", "burst", "even", "far")
SPREAD_NAMES = tuple(each.name for each in ALL if each.spread_seconds)
"""Scenarios that can take a chosen time."""
