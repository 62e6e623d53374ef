"""Metrics of the limits of clients, read when metrics are collected."""

from collections.abc import Iterator
from dataclasses import dataclass

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from gcsched.usecases.access.limit_reports import LimitReports

LABELS = ("client", "limit")


@dataclass(frozen=True, kw_only=True, eq=False)
class ClientLimitMetrics(Collector):
    """The metrics of *reports*; there are none without clients that have limits."""

    reports: LimitReports

    def collect(self) -> Iterator[Metric]:
        if ratios := self.reports.ratios:
            used = GaugeMetricFamily(
                "gcsched_client_usage_ratio",
                "The part of a limit of jobs that a client has used: 1 is all of it.",
                labels=LABELS,
            )
            for (client, limit), ratio in ratios.items():
                used.add_metric([client, limit], ratio)
            yield used
        if refused := self.reports.refused:
            family = CounterMetricFamily(
                "gcsched_client_limit_refusals",
                "Calls and jobs that were refused because of a limit of their client.",
                labels=LABELS,
            )
            for (client, limit), count in refused.items():
                family.add_metric([client, limit], count)
            yield family
