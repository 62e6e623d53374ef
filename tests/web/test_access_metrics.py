"""The metrics of access control."""

from collections import Counter

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest

from gcsched.domain.refusal import RefusalReason
from gcsched.web.access_metrics import AccessMetrics
from tests.support.builders import NOW
from tests.support.probes import parse_metrics


def test_each_reason_is_counted_and_clients_are_shown_with_their_end() -> None:
    registry = CollectorRegistry()
    registry.register(
        AccessMetrics(
            refusals=lambda: Counter({RefusalReason.EXPIRED: 3}),
            is_file_usable=lambda: False,
            client_count=lambda: 2,
            expiries=lambda: {"payroll": NOW},
        )
    )

    scrape = parse_metrics(generate_latest(registry).decode())

    assert scrape.value("gcsched_calls_refused_total", reason="expired") == 3
    assert scrape.value("gcsched_calls_refused_total", reason="missing") == 0
    assert scrape.value("gcsched_clients_file_ok") == 0
    assert scrape.value("gcsched_clients") == 2
    ends = scrape.by("client", "gcsched_client_expiry_timestamp_seconds")
    assert ends == {"payroll": NOW.timestamp()}
