"""How long pages of the console take, by their addresses in the table of routes."""

from prometheus_client import CollectorRegistry, Histogram

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class PageMetrics:
    """The histogram of answers, from the login check to the rendered page."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._seconds = Histogram(
            "gcsched_console_seconds",
            "Duration of requests to the console, by page.",
            labelnames=["page"],
            buckets=BUCKETS,
            registry=registry,
        )

    def observe(self, page: str, seconds: float) -> None:
        """Record a request of *page*, a path of the table of routes."""
        self._seconds.labels(page).observe(seconds)
