"""Reports of load tests as values, for tests of what reads them."""

from typing import Any


def a_figure(median: float, least: float | None = None, largest: float | None = None) -> Any:
    return {
        "median": median,
        "min": median if least is None else least,
        "max": median if largest is None else largest,
    }


def a_report(**summary: Any) -> dict[str, Any]:
    """Return a report of one scenario of single calls with *summary*."""
    figures = {
        "calls_per_s": a_figure(3000.0, 2900.0, 3100.0),
        "call_p50_ms": a_figure(20.0),
        "call_p99_ms": a_figure(40.0),
        **summary,
    }
    rounds = [{"calls_per_s": rate} for rate in (2900.0, 3000.0, 3100.0)]
    surroundings = {
        "gcsched": "0.1.0",
        "python": "3.11.9",
        "cores": 2,
        "target": "built-in <service>",
        "time": "2026-12-01T12:00:00+00:00",
    }
    found = {
        "scenario": {"kind": "calls", "spread_seconds": 0},
        "summary": figures,
        "rounds": rounds,
        "failures": {},
        "distribution": {"from_ms": 0.0, "bin_ms": 1.0, "counts": [1, 5, 0, 2]},
        "rates": {"bin_s": 1.0, "counts": []},
        "verdict": "Nothing.",
    }
    return {"surroundings": surroundings, "run": "0a1b2c3d", "scenarios": {"unary": found}}
