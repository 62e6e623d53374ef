"""Measure a limit of 50 mails a second, burst 10, that three service processes share.

    python -m tests.measure.rate [--seconds 60] [--json docs/measurements/rate.json]

Prints what the relay received and checks nothing.
"""

import argparse
import asyncio
import json
from bisect import bisect_left
from pathlib import Path

from tests.measure.delivery import Figures, a_temporary_folder, count_sent_by_service, run_metadata
from tests.scenarios.cluster import Cluster, a_cluster
from tests.support.service_process import a_meet
from tests.support.wait import until

RATE, BURST, SERVICES = 50, 10, 3


async def measure(folder: Path, seconds: float) -> Figures:
    """Schedule more mails than the limit allows; measure *seconds* from the first mail on."""
    count = int(RATE * seconds) + 10 * BURST
    limits = {"smtp_rate": str(RATE), "smtp_burst": str(BURST)}
    async with a_cluster(folder, services=SERVICES, **limits) as cluster:
        await cluster.call(a_meet(number, timestamp=1) for number in range(count))
        await until(lambda: has_lasted(cluster, seconds), within=seconds * 1.5 + 30, every=0.5)
        return {
            "sent_by": count_sent_by_service(cluster),
            **figures(arrival_times(cluster), seconds),
        }


def arrival_times(cluster: Cluster) -> list[float]:
    return sorted(entry["time"] for entry in cluster.ledger_entries())


def has_lasted(cluster: Cluster, seconds: float) -> bool:
    times = arrival_times(cluster)
    return bool(times) and times[-1] - times[0] >= seconds


def figures(times: list[float], seconds: float) -> Figures:
    within = [each for each in times if each < times[0] + seconds]
    windows = [bisect_left(within, start + 1) - place for place, start in enumerate(within)]
    full = [count for count, start in zip(windows, within, strict=True) if start + 1 <= within[-1]]
    return {
        "limit": {"per_second": RATE, "burst": BURST, "services": SERVICES},
        "seconds": seconds,
        "mails": len(within),
        "per_second_mean": round(len(within) / seconds, 2),
        "most_in_any_second": max(windows),
        "least_in_any_second": min(full),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with a_temporary_folder() as folder:
        measured = asyncio.run(measure(folder, options.seconds))
    print(json.dumps(measured), flush=True)
    if options.json:
        text = json.dumps({"surroundings": run_metadata(), "rate": measured}, indent=1)
        options.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
