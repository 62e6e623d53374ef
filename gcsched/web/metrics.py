"""An Observer that keeps Prometheus metrics of events as they happen."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import timedelta
from functools import cache

from prometheus_client import CollectorRegistry, ProcessCollector, disable_created_metrics

from gcsched.domain.dedup import AdmissionOutcome
from gcsched.domain.job import Job
from gcsched.usecases.monitoring.history import EventCounts
from gcsched.usecases.monitoring.recent_counts import HourlyCounts, RecentMaximum
from gcsched.usecases.ports import AdmissionError, BatchStep
from gcsched.web import metric_definitions


class Metrics:
    """The counters and histograms of one process.

    All label values are known beforehand, except the codes of calls: so the number of series is
    bounded. *recent_repairs* and *recent_lag* are for the console, *events* for the history.
    """

    def __init__(self, *, version: str, relays: Iterable[str]) -> None:
        disable_created_metrics()  # they double the series; process_start_time_seconds exists
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        metric_definitions.create_build_info(registry, version)
        self.recent_repairs: HourlyCounts[str] = HourlyCounts()
        self.recent_lag = RecentMaximum()
        self.events = EventCounts()
        self._admissions = metric_definitions.create_admissions(registry)
        self._attempts = metric_definitions.create_attempts(registry, relays)
        self._repairs = metric_definitions.create_repairs(registry)
        self._batch_jobs = metric_definitions.create_batch_jobs(registry)
        self._lateness = metric_definitions.create_lateness(registry)
        # Finding the labels takes longer than counting: each pair is looked up once.
        self._calls = cache(metric_definitions.create_rpc_calls(registry).labels)
        self._call_seconds = cache(metric_definitions.create_rpc_call_seconds(registry).labels)
        self._event_loop_lag = metric_definitions.create_event_loop_lag(registry)

    def on_admission(self, result: AdmissionOutcome | AdmissionError) -> None:
        label = metric_definitions.find_admission_label(result)
        self._admissions[label].inc()
        self.events.admissions[label] += 1

    def on_batch(self, step: BatchStep, jobs: int) -> None:
        self._batch_jobs[step].observe(jobs)

    def on_outcomes(self, jobs: Sequence[Job], lateness: Sequence[timedelta]) -> None:
        """Count the attempts that led to *jobs*, and the *lateness* of the accepted mails."""
        attempts = (attempt for job in jobs if (attempt := job.new_attempt) is not None)
        for labels, count in Counter((each.kind, each.relay) for each in attempts).items():
            self._attempts[labels].inc(count)
            self.events.attempts[labels[0].value] += count
        for late in lateness:
            self._lateness.observe(late.total_seconds())
        self.events.add_lateness(lateness)

    def on_repair(self, reason: str, count: int) -> None:
        self._repairs[reason].inc(count)
        self.recent_repairs.add(reason, count)

    def on_call(self, method: str, code: str, seconds: float) -> None:
        """Count one call and its duration."""
        self._calls(method, code).inc()
        self._call_seconds(method).observe(seconds)

    def on_loop_lag(self, seconds: float) -> None:
        """Record how late the event loop was."""
        self._event_loop_lag.observe(seconds)
        self.recent_lag.add(seconds)
