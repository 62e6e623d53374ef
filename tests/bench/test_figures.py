import statistics

from hypothesis import given
from hypothesis import strategies as st

from gcsched.bench.figures import build_histogram, build_rates, describe_cpu, quantiles, summarize

SECONDS = st.lists(st.floats(-1, 100, allow_nan=False), min_size=1, max_size=200)


def test_quantiles_are_in_milliseconds() -> None:
    found = quantiles("late", [each / 1000 for each in range(100, 0, -1)])

    assert found == {"late_p50_ms": 51.0, "late_p99_ms": 100.0, "late_max_ms": 100.0}


@given(SECONDS)
def test_a_histogram_and_the_rates_count_each_value_once(values: list[float]) -> None:
    histogram = build_histogram(values)

    assert sum(histogram["counts"]) == len(values)
    assert sum(build_rates(values)["counts"]) == len(values)


def test_cpu_is_a_share_of_a_core_and_microseconds_of_each_job() -> None:
    assert describe_cpu({"gcsched": 0.5}, seconds=2.0, count=1000) == {
        "core_shares": {"gcsched": 0.25},
        "cpu_us": {"gcsched": 500.0},
    }


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=9))
def test_a_summary_has_the_median_and_the_range_of_nested_figures(values: list[float]) -> None:
    found = summarize([{"cpu_us": {"gcsched": each}, "note": "text"} for each in values])

    assert found == {
        "cpu_us.gcsched": {
            "median": statistics.median(values),
            "min": min(values),
            "max": max(values),
        }
    }
