import json
from pathlib import Path

import pytest

from gcsched.bench.comparison import compare, find_differences, read_report
from gcsched.bench.failure import BenchFailed
from tests.bench.reports import a_figure, a_report


def test_ratios_and_spread() -> None:
    after = a_report(calls_per_s=a_figure(6000.0, 5900.0, 6100.0), call_p99_ms=a_figure(40.0))

    found = {each.name: each for each in compare(a_report(), after)}

    assert found["calls_per_s"].ratio == 2.0
    assert found["calls_per_s"].is_beyond_spread
    assert found["call_p99_ms"].ratio == 1.0
    assert not found["call_p99_ms"].has_spread


def test_ranges_that_overlap_are_within_the_spread() -> None:
    after = a_report(calls_per_s=a_figure(3200.0, 3050.0, 3300.0))

    [rate] = [each for each in compare(a_report(), after) if each.name == "calls_per_s"]

    assert not rate.is_beyond_spread


def test_other_surroundings_are_named() -> None:
    after = a_report()
    after["surroundings"]["cores"] = 8
    after["scenarios"]["unary"]["scenario"] = {"kind": "calls", "count": 5}

    assert find_differences(a_report(), after) == ["cores: 2 and 8", "unary: another load"]
    assert find_differences(a_report(), a_report()) == []


def test_files_that_are_no_reports_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    with pytest.raises(BenchFailed, match="cannot be read"):
        read_report(file)
    for text in ("[]", "{}", "not JSON"):
        file.write_text(text, encoding="utf-8")
        with pytest.raises(BenchFailed, match=r"a\.json"):
            read_report(file)
    file.write_text(json.dumps(a_report()), encoding="utf-8")
    assert read_report(file) == a_report()
    with pytest.raises(BenchFailed, match="no scenario in common"):
        compare(a_report(), {**a_report(), "scenarios": {}})
