"""Compare what wall times mean at clock changes, in all zones, with an oracle of their own.

    python -m tests.measure.zone_changes --json docs/measurements/zone_changes.json

Each gap and overlap is tried at both edges, in the middle and a minute outside, by the rule for
calendar times and by the daily run. The oracle reads the TZif files of the package `tzdata`; glibc,
a second reader of the same files, has to find the same changes. Beside them: other years, and
the zones in which this host's own files disagree with the package.
"""

import argparse
import json
import os
import platform
import time
import zoneinfo
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from importlib.resources import as_file, files
from pathlib import Path

import tzdata

from gcsched.process.zone_data import use_packaged_zones
from tests.support.zone_checks import Comparison, compare_zones
from tests.support.zone_oracle import (
    EPOCH,
    LAST_YEAR,
    Change,
    Period,
    find_changes,
    read_all_periods,
)

HOST_FOLDERS = zoneinfo.TZPATH  # before anything changes it
STEP_SECONDS = 6 * 3600  # no two changes are closer in the years that glibc is asked about
Zones = Mapping[str, Sequence[Period]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--first-year", type=int, default=2026, help="the first of five years")
    options = parser.parse_args()
    use_packaged_zones()
    zones = read_all_periods()
    five = range(options.first_year, options.first_year + 5)
    rule_only = range(2038, LAST_YEAR)  # after the last year that most files of any host list
    figures = {
        "command": f"python -m tests.measure.zone_changes --first-year {options.first_year}",
        "zone_version": tzdata.IANA_VERSION,
        "python": platform.python_version(),
        "names": len(zones),
        "names_known_to_zoneinfo": len(zoneinfo.available_timezones()),
        "five_years": describe(five, compare_zones(zones, five)),
        "since_1970": describe(range(1970, 2046), compare_zones(zones, range(1970, 2046))),
        "glibc": {
            "names_that_differ": find_glibc_differences(zones, five),
            "names_that_differ_by_rule": find_glibc_differences(zones, rule_only),
            "version": " ".join(platform.libc_ver()),
        },
        "host": describe_host(zones, five),
    }
    print(json.dumps(figures, indent=1))
    if options.json is not None:
        options.json.write_text(json.dumps(figures, indent=1) + "\n")


def describe(years: range, comparison: Comparison) -> dict[str, object]:
    return {
        "years": f"{years[0]} to {years[-1]}",
        **comparison.compared,
        "wrong": comparison.wrong,
        "wrong_daily_runs": comparison.wrong_daily_runs,
    }


def find_glibc_differences(zones: Zones, years: range) -> list[str]:
    """Return the names for which glibc finds other changes than the oracle."""
    with as_file(files("tzdata").joinpath("zoneinfo")) as folder:
        return [
            name
            for name, periods in zones.items()
            if [each for each in find_changes(periods) if each.year in years]
            != list(find_glibc_changes(folder / name, years))
        ]


def find_glibc_changes(file: Path, years: range) -> Iterator[Change]:
    os.environ["TZ"] = f":{file}"
    time.tzset()
    start, end = (unix_seconds(year) for year in (years[0], years[-1] + 1))
    before = offset_by_glibc(start)
    for low in range(start, end, STEP_SECONDS):
        after = offset_by_glibc(low + STEP_SECONDS)
        if after != before:
            at = bisect_change(low, low + STEP_SECONDS)
            if at < end:
                yield Change(at, before, after)
        before = after


def bisect_change(low: int, high: int) -> int:
    """Return the first second after *low* with the offset of *high*."""
    later = offset_by_glibc(high)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if offset_by_glibc(middle) == later else (middle, high)
    return high


def offset_by_glibc(moment: int) -> int:
    return time.localtime(moment).tm_gmtoff


def unix_seconds(year: int) -> int:
    return int((EPOCH.replace(year=year) - EPOCH).total_seconds())


def describe_host(zones: Zones, years: range) -> dict[str, object]:
    """Return the names with other offsets by this host's files, on any day of *years*."""
    packaged = {name: zoneinfo.ZoneInfo.no_cache(name) for name in zones}
    zoneinfo.reset_tzpath(HOST_FOLDERS)
    from_host = [each for each in zones if any(Path(at, each).is_file() for at in HOST_FOLDERS)]
    start = datetime(years[0], 1, 1, tzinfo=UTC)
    days = [start + timedelta(days=number) for number in range(365 * len(years))]
    differ = []
    for name in from_host:
        of_host = zoneinfo.ZoneInfo.no_cache(name)
        if any(
            day.astimezone(of_host).utcoffset() != day.astimezone(packaged[name]).utcoffset()
            for day in days
        ):
            differ.append(name)
    use_packaged_zones()
    return {
        "system": read_system_name(),
        "version": read_host_version(),
        "names": len(from_host),
        "names_that_differ": differ,
    }


def read_system_name() -> str:
    return platform.freedesktop_os_release()["PRETTY_NAME"]


def read_host_version() -> str:
    """Return the version in the host's own tzdata.zi; "" if it has none."""
    for folder in HOST_FOLDERS:
        file = Path(folder, "tzdata.zi")
        if file.is_file():
            return file.read_text().partition("\n")[0].removeprefix("# version ")
    return ""


if __name__ == "__main__":
    main()
