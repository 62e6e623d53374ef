from typing import Any

import pytest

from gcsched.bench.scenario import SCENARIOS
from gcsched.bench.verdict import judge
from tests.bench.reports import a_figure


def verdict(name: str, *, sessions: int = 32, is_pinned: bool = True, **figures: Any) -> str:
    summary = {key.replace("__", "."): a_figure(value) for key, value in figures.items()}
    shares = {
        f"core_shares.{part.replace('_', ' ')}": a_figure(share)
        for part, share in figures.pop("shares", {}).items()
    }
    summary = {key: value for key, value in summary.items() if key != "shares"} | shares
    return judge(SCENARIOS[name], summary, is_pinned=is_pinned, cores=2, sessions=sessions)


@pytest.mark.parametrize(
    ("shares", "expected"),
    [
        ({"gcsched": 0.97, "mongod": 0.3}, "The limit was the service"),
        ({"gcsched": 0.5, "mongod": 0.95}, "The limit was mongod"),
        ({"gcsched": 0.5, "load_generator": 0.9}, "The limit was measuring itself"),
        ({"gcsched": 0.5, "mongod": 0.45, "load_generator": 0.45}, "The limit was this machine"),
        ({"gcsched": 0.2, "mongod": 0.1}, "No part used its core"),
    ],
)
def test_the_busiest_part_is_the_limit(shares: dict[str, float], expected: str) -> None:
    found = verdict("unary", shares=shares)

    assert found.startswith(expected)
    assert f"gcsched {shares['gcsched']:.0%}" in found


def test_other_programs_are_named_when_they_take_much() -> None:
    crowded = verdict("unary", shares={"gcsched": 0.9, "other_programs": 0.5})

    idle = verdict("unary", shares={"gcsched": 0.3, "mongod": 0.1, "other_programs": 0.9})

    assert crowded.endswith("Other programs were in the way: measure on a quiet machine.")
    assert idle.startswith("No part used its core, and the limit is not visible.")


def test_the_reply_time_of_a_far_relay_is_the_limit_of_its_sessions() -> None:
    waiting = verdict("far", mails_per_s=800.0, shares={"gcsched": 0.3})
    busy = verdict("far", mails_per_s=300.0, shares={"gcsched": 0.95})

    assert "32 sessions sent 0.75 mails each per reply time" in waiting
    assert busy.startswith("The limit was the service")


def test_a_paced_load_seeks_no_limit() -> None:
    kept = verdict("even", late_p99_ms=40.0, missing=0, shares={"gcsched": 0.1})
    late = verdict("even", late_p99_ms=5000.0, missing=0, shares={"gcsched": 0.99})

    assert kept.startswith("The load was paced, and nothing was a limit.")
    assert "did not keep up: 99 % within 5,000 ms" in late


def test_of_a_remote_service_only_the_load_generator_is_seen() -> None:
    idle = verdict("unary", shares={"load_generator": 0.2})
    busy = verdict("unary", shares={"load_generator": 0.95})
    blind = verdict("unary")

    assert idle.startswith("The load generator was not the limit: it used 20% of a core.")
    assert busy.startswith("The limit was the load generator")
    assert all("cannot be seen from here" in each for each in (idle, busy, blind))
