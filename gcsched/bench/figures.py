"""The figures of one round and of all rounds of a scenario. Pure."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

Figures = dict[str, Any]
MICROSECONDS, MILLISECONDS = 1e6, 1e3
HISTOGRAM_BINS = 48
RATE_BINS, MAX_RATE_BINS = (0.02, 0.1, 1.0, 10.0, 60.0), 120


def quantile(values: Sequence[float], share: float) -> float:
    """Return the value that *share* of the sorted *values* do not exceed; 0 without any."""
    return values[min(len(values) - 1, int(len(values) * share))] if values else 0.0


def quantiles(name: str, seconds: Sequence[float]) -> Figures:
    """Return p50, p99 and the largest of *seconds*, in milliseconds."""
    found = sorted(seconds)
    shares = {"p50": 0.5, "p99": 0.99, "max": 1.0}
    return {
        f"{name}_{each}_ms": round(quantile(found, share) * MILLISECONDS, 2)
        for each, share in shares.items()
    }


def build_rates(instants: Sequence[float]) -> Figures:
    """Count *instants* in bins of one length, from the first on; about a hundred bins or fewer."""
    if not instants:
        return {"bin_s": 1.0, "counts": []}
    span = max(instants) - min(instants)
    length = next((each for each in RATE_BINS if span / each <= MAX_RATE_BINS), RATE_BINS[-1])
    bins = [int(each // length) for each in instants]  # whole seconds, as mails are due in
    first = min(bins)
    counts = [0] * (max(bins) - first + 1)
    for each in bins:
        counts[each - first] += 1
    return {"bin_s": length, "counts": counts}


def build_histogram(seconds: Sequence[float]) -> Figures:
    """Return the bins of a histogram of *seconds*, of one width, in milliseconds."""
    if not seconds:
        return {"from_ms": 0.0, "bin_ms": 1.0, "counts": []}
    low, high = min(0.0, *seconds), max(seconds)
    width = max((high - low) / HISTOGRAM_BINS, 1e-6)
    counts = [0] * HISTOGRAM_BINS
    for each in seconds:
        counts[min(HISTOGRAM_BINS - 1, int((each - low) / width))] += 1
    return {
        "from_ms": round(low * MILLISECONDS, 3),
        "bin_ms": round(width * MILLISECONDS, 4),
        "counts": counts,
    }


def describe_cpu(used: Mapping[str, float], seconds: float, count: int) -> Figures:
    """Return the share of a core, and microseconds for each job, of each part that was seen."""
    if not used:
        return {}
    return {
        "core_shares": {name: round(each / seconds, 3) for name, each in used.items()},
        "cpu_us": {
            name: round(each / max(count, 1) * MICROSECONDS, 1) for name, each in used.items()
        },
    }


def summarize(rounds: Sequence[Figures]) -> Figures:
    """Return median, least and largest of each plain number of *rounds*, nested ones by a dot."""
    flat = [flatten(each) for each in rounds]
    names = [name for name in flat[0] if all(name in each for each in flat)]
    columns = {name: [each[name] for each in flat] for name in names}
    return {
        name: {
            "median": statistics.median(values),
            "min": min(values),
            "max": max(values),
        }
        for name, values in columns.items()
    }


def flatten(figures: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """Return the numbers of *figures*, without lists and texts."""
    found: dict[str, float] = {}
    for name, value in figures.items():
        if isinstance(value, Mapping):
            found |= flatten(value, f"{prefix}{name}.")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found[prefix + name] = value
    return found
