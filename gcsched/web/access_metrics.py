"""The metrics of access control. A service without it has none of them."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from gcsched.domain.refusal import RefusalReason


@dataclass(frozen=True, kw_only=True, eq=False)
class AccessMetrics(Collector):
    """Counts refused calls, and shows the state of the clients file."""

    refusals: Callable[[], Mapping[RefusalReason, int]]
    is_file_usable: Callable[[], bool]
    client_count: Callable[[], int]
    expiries: Callable[[], Mapping[str, datetime]]

    def collect(self) -> Iterator[Metric]:
        refused = CounterMetricFamily(
            "gcsched_calls_refused",
            "Calls that were refused before they were read, by reason.",
            labels=["reason"],
        )
        counts = self.refusals()
        for reason in RefusalReason:
            refused.add_metric([reason.value], counts.get(reason, 0))
        yield refused
        yield GaugeMetricFamily(
            "gcsched_clients_file_ok",
            "1: the clients file is in use; 0: it is broken, and the clients before are in use.",
            value=float(self.is_file_usable()),
        )
        yield GaugeMetricFamily(
            "gcsched_clients", "Clients that may call.", value=self.client_count()
        )
        yield self._expiries()

    def _expiries(self) -> Metric:
        family = GaugeMetricFamily(
            "gcsched_client_expiry_timestamp_seconds",
            "When the last token of the client expires, in Unix seconds.",
            labels=["client"],
        )
        for client, end in self.expiries().items():
            family.add_metric([client], end.timestamp())
        return family
