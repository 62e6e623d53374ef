"""The faults of a run and their times, drawn from a seed. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random

from tests.support.relay.script import repeatable


class FaultKind(StrEnum):
    """The kinds of faults; each is undone when its duration is over."""

    SERVICE_KILLED = "service killed"
    SERVICE_FROZEN = "service frozen"
    SERVICE_RESTARTED = "service restarted in order"
    SERVICE_CLOCK_OFF = "service restarted with a clock that is off"
    PRIMARY_KILLED = "primary killed"
    PRIMARY_FROZEN = "primary frozen"
    PRIMARY_CUT = "primary cut off, refusing"
    PRIMARY_MUTE = "primary cut off, silent"
    PRIMARY_STEPPED_DOWN = "primary stepped down"
    MAJORITY_KILLED = "two of three members killed"
    MONGO_SLOW = "MongoDB slow"
    MONGO_RESET = "connections to MongoDB reset"
    REDIS_KILLED = "Redis killed"
    REDIS_FROZEN = "Redis frozen"
    REDIS_FLUSHED = "Redis flushed"
    REDIS_EMPTIED = "Redis killed and its data deleted"
    REDIS_LAGGING = "Redis failed over to a lagging replica"
    REDIS_SLOW = "Redis slow"
    REDIS_RESET = "connections to Redis reset"
    CUT_FROM_MONGO = "one service cut off from MongoDB, refusing"
    MUTE_FROM_MONGO = "one service cut off from MongoDB, silent"
    CUT_FROM_REDIS = "one service cut off from Redis, refusing"
    MUTE_FROM_REDIS = "one service cut off from Redis, silent"
    RELAY_HANGS_UP = "relay hangs up"
    RELAY_LOSES_REPLIES = "relay loses replies"
    RELAY_SLOW = "relay slow"


SecondsRange = tuple[float, float]
INSTANT: SecondsRange = (0.0, 0.0)
LONGER_THAN_A_LEASE: SecondsRange = (40.0, 50.0)
SEVERAL_SECONDS: SecondsRange = (4.0, 15.0)

SERVICE_FAULTS: Mapping[FaultKind, SecondsRange] = {
    FaultKind.SERVICE_KILLED: (0.2, 8.0),
    FaultKind.SERVICE_FROZEN: LONGER_THAN_A_LEASE,
    FaultKind.SERVICE_RESTARTED: (0.0, 4.0),
    FaultKind.SERVICE_CLOCK_OFF: (10.0, 40.0),
}
SHARED_FAULTS: Sequence[Mapping[FaultKind, SecondsRange]] = (
    {
        FaultKind.PRIMARY_KILLED: SEVERAL_SECONDS,
        FaultKind.PRIMARY_FROZEN: SEVERAL_SECONDS,
        FaultKind.PRIMARY_CUT: SEVERAL_SECONDS,
        FaultKind.PRIMARY_MUTE: SEVERAL_SECONDS,
        FaultKind.PRIMARY_STEPPED_DOWN: INSTANT,
        FaultKind.MAJORITY_KILLED: (3.0, 10.0),
        FaultKind.MONGO_SLOW: SEVERAL_SECONDS,
        FaultKind.MONGO_RESET: INSTANT,
    },
    {
        FaultKind.REDIS_KILLED: SEVERAL_SECONDS,
        FaultKind.REDIS_FROZEN: SEVERAL_SECONDS,
        FaultKind.REDIS_FLUSHED: INSTANT,
        FaultKind.REDIS_EMPTIED: SEVERAL_SECONDS,
        FaultKind.REDIS_LAGGING: SEVERAL_SECONDS,
        FaultKind.REDIS_SLOW: SEVERAL_SECONDS,
        FaultKind.REDIS_RESET: INSTANT,
    },
    {
        FaultKind.CUT_FROM_MONGO: (4.0, 40.0),
        FaultKind.MUTE_FROM_MONGO: (4.0, 40.0),
        FaultKind.CUT_FROM_REDIS: (4.0, 40.0),
        FaultKind.MUTE_FROM_REDIS: (4.0, 40.0),
    },
    {
        FaultKind.RELAY_HANGS_UP: (1.0, 8.0),
        FaultKind.RELAY_LOSES_REPLIES: (1.0, 8.0),
        FaultKind.RELAY_SLOW: (2.0, 10.0),
    },
)
MAX_GAP = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault: its start and duration in seconds, and the service that it hits."""

    kind: FaultKind
    start: float
    duration: float
    service: int = 0
    random_value: float = 0.5  # for what else the injection has to draw


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultTimeline:
    """Faults that do not overlap, each of one of *services*."""

    kinds: Mapping[FaultKind, SecondsRange]
    services: Sequence[int]

    def draw(self, chance: Random, seconds: float, speedup: float) -> Iterator[Fault]:
        at = chance.uniform(0.0, MAX_GAP) / speedup
        while at < seconds:
            kind = chance.choice(list(self.kinds))
            duration = min(chance.uniform(*self.kinds[kind]) / speedup, seconds - at)
            yield Fault(
                kind=kind,
                start=at,
                duration=duration,
                service=chance.choice(self.services),
                random_value=chance.random(),
            )
            at += duration + chance.uniform(1.0, MAX_GAP) / speedup


def draw_faults(
    seed: int, *, services: int, seconds: float, speedup: float = 1.0
) -> Sequence[Sequence[Fault]]:
    """Draw a timeline of faults for each part that can fail; faults of one timeline do not overlap.

    *speedup* divides all durations, so that a short run has more faults. All end within *seconds*.
    """
    chance = repeatable(seed)
    each = [FaultTimeline(kinds=SERVICE_FAULTS, services=[number]) for number in range(services)]
    shared = [FaultTimeline(kinds=kinds, services=range(services)) for kinds in SHARED_FAULTS]
    return [list(timeline.draw(chance, seconds, speedup)) for timeline in (*each, *shared)]
