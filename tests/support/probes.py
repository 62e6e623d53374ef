"""Probe a running service by HTTP, as Prometheus and an orchestrator do."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

Samples = Mapping[tuple[str, frozenset[tuple[str, str]]], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scrape:
    """The samples of one scrape of /metrics."""

    samples: Samples

    def value(self, name: str, **labels: str) -> float | None:
        return self.samples.get((name, frozenset(labels.items())))

    def by(self, label: str, name: str, **others: str) -> dict[str, float]:
        """Return the values above 0 of *name* by *label*."""
        found = {}
        for (each, pairs), value in self.samples.items():
            labels = dict(pairs)
            if each == name and value and others.items() <= labels.items():
                found[labels[label]] = value
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpProbe:
    session: aiohttp.ClientSession

    async def scrape(self) -> Scrape:
        async with self.session.get("/metrics") as answer:
            assert answer.status == 200
            assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
            return parse_metrics(await answer.text())

    async def get_readiness(self) -> tuple[int, dict[str, Any]]:
        async with self.session.get("/readyz") as answer:
            return answer.status, await answer.json()

    async def get_status(self) -> str:
        _, body = await self.get_readiness()
        return str(body["status"])

    async def request(self, path: str, method: str = "GET") -> tuple[int, str]:
        async with self.session.request(method, path) as answer:
            return answer.status, await answer.text()


def parse_metrics(text: str) -> Scrape:
    samples = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in samples, f"twice: {key}"
            samples[key] = sample.value
    return Scrape(samples=samples)


@asynccontextmanager
async def probe_http(http: str) -> AsyncIterator[HttpProbe]:
    async with aiohttp.ClientSession(http) as session:
        yield HttpProbe(session=session)


async def has_status(status: str, probe: HttpProbe) -> bool:
    return await probe.get_status() == status
