"""Gauges show what is known, and are absent where nothing is."""

from datetime import timedelta

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest

from gcsched.domain.job import State
from gcsched.usecases.ports import JobCounts
from gcsched.web.gauges import Gauges
from tests.support.probes import Scrape, parse_metrics
from tests.support.relay.sessions import FakeSessions


def scrape_gauges(counts: JobCounts | None, *, is_paused: bool | None = None) -> Scrape:
    registry = CollectorRegistry()
    registry.register(
        Gauges(
            sessions=[FakeSessions("first:25", 3, 2, 24), FakeSessions("second:25", 0, 0, 8)],
            relays_down=lambda: {"first:25": False, "second:25": True},
            relays_up=lambda: {"first:25": True, "second:25": False},
            is_paused=lambda: is_paused,
            claimed_jobs=lambda: 7,
            admissions_waiting=lambda: 5,
            job_counts=lambda: counts,
        )
    )
    return parse_metrics(generate_latest(registry).decode())


def test_each_relay_has_its_own_gauges() -> None:
    scrape = scrape_gauges(None)

    assert scrape.by("relay", "gcsched_smtp_sessions_open") == {"first:25": 3}
    assert scrape.by("relay", "gcsched_smtp_sessions_busy") == {"first:25": 2}
    limits = {"first:25": 24, "second:25": 8}
    assert scrape.by("relay", "gcsched_smtp_sessions_limit") == limits
    assert scrape.by("relay", "gcsched_breaker_open") == {"second:25": 1}
    assert scrape.value("gcsched_relay_up", relay="first:25") == 1
    assert scrape.value("gcsched_relay_up", relay="second:25") == 0
    assert scrape.value("gcsched_smtp_sessions_open", relay="second:25") == 0
    assert scrape.value("gcsched_claimed_jobs") == 7
    assert scrape.value("gcsched_admissions_waiting") == 5


def test_unknown_counts_are_absent() -> None:
    names = {name for name, _ in scrape_gauges(None).samples}

    assert names.isdisjoint({"gcsched_jobs", "gcsched_oldest_due_seconds", "gcsched_paused"})


def test_a_pause_is_shown() -> None:
    assert scrape_gauges(None, is_paused=True).value("gcsched_paused") == 1
    assert scrape_gauges(None, is_paused=False).value("gcsched_paused") == 0


def test_a_state_that_was_not_counted_is_absent() -> None:
    counts = JobCounts(by_state={State.FAILED: 2}, oldest_due_lateness=timedelta(seconds=90))

    scrape = scrape_gauges(counts)

    assert scrape.by("state", "gcsched_jobs") == {"FAILED": 2}
    assert scrape.value("gcsched_jobs", state="SENT") is None
    assert scrape.value("gcsched_oldest_due_seconds") == 90
