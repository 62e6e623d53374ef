"""The faults of a seed are always the same, do not overlap in their lane, and are all met."""

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


@pytest.mark.parametrize("pace", [1.0, 4.0])
def test_faults_of_a_lane_do_not_overlap_and_end_in_time(pace: float) -> None:
    for lane in draw_faults(7, services=2, seconds=60, speedup=pace):
        for one, next_one in itertools.pairwise(lane):
            assert one.start + one.duration < next_one.start
        assert all(fault.start + fault.duration <= 60 for fault in lane)


def test_each_service_has_a_lane_of_its_own() -> None:
    lanes = draw_faults(7, services=3, seconds=300)
    assert [{fault.service for fault in lane} for lane in lanes[:3]] == [{0}, {1}, {2}]


def test_ten_long_seeds_meet_every_fault() -> None:
    met = {
        fault.kind
        for seed in range(1, 11)
        for lane in draw_faults(seed, services=3, seconds=300)
        for fault in lane
    }
    assert met == set(FaultKind) == set(INJECTORS)
