"""Gauges that are read when metrics are collected. They never wait for a store."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from gcsched.usecases.ports import JobCounts, RelaySessions


@dataclass(frozen=True, kw_only=True, eq=False)
class Gauges(Collector):
    """The gauges; one whose value is unknown is absent, because a wrong value misleads."""

    sessions: Sequence[RelaySessions]
    relays_down: Callable[[], Mapping[str, bool]]
    relays_up: Callable[[], Mapping[str, bool]]
    is_paused: Callable[[], bool | None]
    claimed_jobs: Callable[[], int]
    admissions_waiting: Callable[[], int]
    job_counts: Callable[[], JobCounts | None]

    def collect(self) -> Iterator[Metric]:
        yield make_labelled_gauge(
            "gcsched_smtp_sessions_open",
            "Connections from this process to the relay.",
            relay={each.name: each.connections for each in self.sessions},
        )
        yield make_labelled_gauge(
            "gcsched_smtp_sessions_busy",
            "Connections to the relay that carry a mail or are being opened.",
            relay={each.name: each.busy for each in self.sessions},
        )
        yield make_labelled_gauge(
            "gcsched_smtp_sessions_limit",
            "Connections to the relay that this process may open now.",
            relay={each.name: each.limit for each in self.sessions},
        )
        yield make_labelled_gauge(
            "gcsched_breaker_open",
            "1: the breaker is open, and the relay gets only probes.",
            relay=self.relays_down(),
        )
        yield make_labelled_gauge(
            "gcsched_relay_up",
            "1: the relay can be used; 0: no session can be opened, or mails are held back.",
            relay=self.relays_up(),
        )
        if (is_paused := self.is_paused()) is not None:
            yield GaugeMetricFamily(
                "gcsched_paused", "1: sending is paused.", value=float(is_paused)
            )
        yield GaugeMetricFamily(
            "gcsched_claimed_jobs", "Jobs that this process has claimed.", value=self.claimed_jobs()
        )
        yield GaugeMetricFamily(
            "gcsched_admissions_waiting",
            "Calls that wait for a group commit.",
            value=self.admissions_waiting(),
        )
        # Counts are of the last minute, not of this scrape: counting may take seconds.
        if (counts := self.job_counts()) is not None:
            yield from make_job_gauges(counts)


@dataclass(frozen=True, kw_only=True, eq=False)
class CertificateGauges(Collector):
    """The ends of the certificates in use, and whether their files of now can be used."""

    ends: Callable[[], Iterable[tuple[str, str, datetime]]]
    failures: Callable[[], Mapping[str, bool]]

    def collect(self) -> Iterator[Metric]:
        ends = GaugeMetricFamily(
            "gcsched_tls_certificate_expiry_timestamp_seconds",
            "When a certificate in use expires, in Unix seconds.",
            labels=["listener", "certificate"],
        )
        for listener, certificate, end in self.ends():
            ends.add_metric([listener, certificate], end.timestamp())
        yield ends
        yield make_labelled_gauge(
            "gcsched_tls_reload_failed",
            "1: the files of TLS cannot be used, and the listener keeps the certificate before.",
            listener=self.failures(),
        )


@dataclass(frozen=True, eq=False)
class DroppedLogLines(Collector):
    """The number of dropped log lines, as the log counts them."""

    count: Callable[[], int]

    def collect(self) -> Iterator[Metric]:
        yield CounterMetricFamily(
            "gcsched_log_lines_dropped",
            "Log lines that were dropped because the log could not be written fast enough.",
            value=self.count(),
        )


def make_job_gauges(counts: JobCounts) -> Iterator[Metric]:
    yield make_labelled_gauge(
        "gcsched_jobs",
        "Jobs of all processes by state, counted once a minute and for status reports.",
        state={state.value: count for state, count in counts.by_state.items()},
    )
    yield GaugeMetricFamily(
        "gcsched_oldest_due_seconds",
        "How late the oldest due job was when jobs were counted; 0: no job was due.",
        value=counts.oldest_due_lateness.total_seconds(),
    )
    yield GaugeMetricFamily(
        "gcsched_unreadable_jobs",
        "Jobs in quarantine, because their document is invalid, and jobs in unknown states.",
        value=counts.unreadable,
    )


def make_labelled_gauge(name: str, documentation: str, **labelled: Mapping[str, float]) -> Metric:
    """Return a gauge with one label; its argument maps the label's values to numbers."""
    ((label, values),) = labelled.items()
    family = GaugeMetricFamily(name, documentation, labels=[label])
    for value, number in values.items():
        family.add_metric([value], float(number))
    return family
