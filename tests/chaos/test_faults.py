"""The faults of a seed are always the same, do not overlap in a timeline, and cover every kind."""

import itertools

import pytest

from tests.chaos.fault_injection import INJECTORS
from tests.chaos.faults import FaultKind, draw_faults


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_seed_draws_the_same_faults_each_time(seed: int) -> None:
    assert draw_faults(seed, services=3, seconds=300) == draw_faults(seed, services=3, seconds=300)
    assert draw_faults(seed, services=3, seconds=300) != draw_faults(
        seed + 1, services=3, seconds=300
    )


@pytest.mark.parametrize("speedup", [1.0, 4.0])
def test_faults_of_a_timeline_do_not_overlap_and_end_in_time(speedup: float) -> None:
    for timeline in draw_faults(7, services=2, seconds=60, speedup=speedup):
        for one, next_one in itertools.pairwise(timeline):
            assert one.start + one.duration < next_one.start
        assert all(fault.start + fault.duration <= 60 for fault in timeline)


def test_each_service_has_its_own_timeline() -> None:
    timelines = draw_faults(7, services=3, seconds=300)
    assert [{fault.service for fault in timeline} for timeline in timelines[:3]] == [{0}, {1}, {2}]


def test_ten_long_seeds_draw_every_kind_of_fault() -> None:
    drawn = {
        fault.kind
        for seed in range(1, 11)
        for timeline in draw_faults(seed, services=3, seconds=300)
        for fault in timeline
    }
    assert drawn == set(FaultKind) == set(INJECTORS)
