"""Bursts: mails that are due in the same second, from that second until the last one arrives."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median

from tests.measure.bench import Bench
from tests.measure.delivery import Figures, seconds_from_now
from tests.measure.load import meets, schedule_in_batches, schedule_one_by_one
from tests.scenarios.cluster import quantile
from tests.support.probes import probe_http
from tests.support.wait import until

JOBS_PER_LEAD_SECOND = 2_500  # a slow machine still schedules so many a second, in batches
CALLS_PER_LEAD_SECOND = 800
MIN_LEAD_SECONDS = 4
MIN_MAILS_PER_SECOND = 100  # a measurement that is slower ends
REPEAT_SECONDS = 1.0  # a second mail to a recipient would come within it

Cpu = Mapping[str, float]
Measurement = Callable[[], Coroutine[None, None, Figures]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrivals:
    """The mails that the relay received after a place in its ledger."""

    mails: int
    lateness: Sequence[float]  # of the first mail to each recipient, in seconds, sorted

    @property
    def recipients(self) -> int:
        return len(self.lateness)


def ledger_size(bench: Bench) -> int:
    return bench.ledger.stat().st_size


def read_ledger(bench: Bench, since: int) -> list[tuple[int, float, str]]:
    """Return due time, arrival and recipient of each mail after the first *since* octets."""
    found = []
    with bench.ledger.open("rb") as file:
        file.seek(since)
        *lines, _ = file.read().decode().split("\n")
    for line in lines:
        recipient, _, arrival = line.rpartition(" ")
        due = recipient.partition("@")[0].rpartition("-")[2]
        found.append((int(due), float(arrival), recipient))
    return found


def read_arrivals(bench: Bench, since: int) -> Arrivals:
    entries, first = read_ledger(bench, since), dict[str, float]()
    for due, arrival, recipient in entries:
        first.setdefault(recipient, arrival - due)
    return Arrivals(mails=len(entries), lateness=sorted(first.values()))


def count_mails(bench: Bench, since: int) -> int:
    with bench.ledger.open("rb") as file:
        file.seek(since)
        return file.read().count(b"\n")


async def wait_for_mails(bench: Bench, since: int, count: int, *, within: float) -> Arrivals:
    """Wait until *count* mails came, and a moment longer for repeated ones."""
    await until(lambda: count_mails(bench, since) >= count, within=within, every=0.1)
    await asyncio.sleep(REPEAT_SECONDS)
    return read_arrivals(bench, since)


def cpu_us_each(before: Cpu, after: Cpu, count: int) -> dict[str, float]:
    return {name: round((after[name] - before[name]) / count * 1e6, 1) for name in before}


async def measure_burst(bench: Bench, count: int) -> Figures:
    """Schedule *count* mails for one second, in batches, and measure their delivery."""
    lead = MIN_LEAD_SECONDS + count / JOBS_PER_LEAD_SECOND
    due = seconds_from_now(lead + 1)
    await schedule_in_batches(bench.services[0].target, meets(count, lambda _: due))
    return await measure_delivery(bench, count, due)


async def measure_calls_and_burst(bench: Bench, count: int) -> Figures:
    """Schedule *count* mails for one second by single calls; measure the calls and the mails."""
    due = seconds_from_now(MIN_LEAD_SECONDS + count / CALLS_PER_LEAD_SECOND + 1)
    requests = meets(count, lambda _: due)
    before, started = bench.cpu_seconds(), time.perf_counter()
    took = await schedule_one_by_one(bench.services[0].target, requests)
    seconds = time.perf_counter() - started
    return {
        "calls_per_s": round(count / seconds, 1),
        "cpu_us_per_call": cpu_us_each(before, bench.cpu_seconds(), count),
        "call_p50_ms": round(quantile(took, 0.5) * 1e3, 1),
        "call_p99_ms": round(quantile(took, 0.99) * 1e3, 1),
        **await measure_delivery(bench, count, due),
    }


async def measure_delivery(bench: Bench, count: int, due: int) -> Figures:
    """Measure from just before *due*; the CPU time is that of the delivery alone.

    Raises TimeoutError once *due* has passed.
    """
    ahead = due - time.time()
    if ahead <= 0:  # mails that came before it would neither be counted nor measured
        raise TimeoutError(f"the second {due} passed while mails for it were scheduled")
    since = ledger_size(bench)
    sent_before, repairs_before = await count_sent(bench), await count_repairs(bench)
    await asyncio.sleep(max(0.0, due - 0.05 - time.time()))
    before = bench.cpu_seconds()
    within = 60 + count / MIN_MAILS_PER_SECOND
    arrivals = await wait_for_mails(bench, since, count, within=within)
    cpu, rss = cpu_us_each(before, bench.cpu_seconds(), count), bench.rss_mb()
    sent = await count_sent(bench)
    late = arrivals.lateness
    return {
        "mails": count,
        "mails_per_s": round(arrivals.recipients / late[-1], 1),
        "cpu_us_per_mail": cpu,
        "late_p50_ms": round(quantile(late, 0.5) * 1e3, 1),
        "late_p99_ms": round(quantile(late, 0.99) * 1e3, 1),
        "last_mail_late_s": round(late[-1], 3),
        "early": sum(each < 0 for each in late),
        "missing": count - arrivals.recipients,
        "repeated": arrivals.mails - arrivals.recipients,
        "repairs": await count_repairs(bench) - repairs_before,
        "scheduled_ahead_s": round(ahead, 1),
        "rss_mb": max(rss),
        "share_of_each": [
            round((now - then) / count, 3) for then, now in zip(sent_before, sent, strict=True)
        ],
    }


async def count_sent(bench: Bench) -> list[float]:
    """Return how many mails each service has had accepted, by its own metrics."""
    counts = await read_metric(bench, "kind", "gcsched_attempts_total")
    return [each.get("ACCEPTED", 0.0) for each in counts]


async def count_repairs(bench: Bench) -> float:
    """Return what sweeps have repaired: a burst that waited for one shows it here."""
    counts = await read_metric(bench, "reason", "gcsched_repairs_total")
    return sum(sum(each.values()) for each in counts)


async def read_metric(bench: Bench, label: str, name: str) -> list[dict[str, float]]:
    """Return the values of a metric by *label*, for each service."""
    found = []
    for service in bench.services:
        async with probe_http(service.http) as http:
            found.append((await http.scrape()).by(label, name))
    return found


async def run_in_turns(rounds: int, measurements: Mapping[str, Measurement]) -> Figures:
    """Run the measurements in turn, some times, so that a busy machine disturbs all of them.

    Returns for each its figures of all rounds, and how each number was distributed.
    """
    found: dict[str, list[Figures]] = {name: [] for name in measurements}
    for _ in range(rounds):
        for name, measure in measurements.items():
            found[name].append(await measure())
            print(name, found[name][-1], flush=True)
    return {name: {"summary": summarize(each), "rounds": each} for name, each in found.items()}


def summarize(found: Sequence[Figures]) -> Figures:
    """Return median, mean, least and largest of each number in *found*, also in nested figures."""
    summary: Figures = {}
    for name, value in found[0].items():
        values = [each.get(name, 0) for each in found]
        if isinstance(value, dict):
            summary[name] = summarize(values)
        elif isinstance(value, int | float):
            numbers = {"median": median(values), "mean": fmean(values)}
            numbers |= {"min": min(values), "max": max(values)}
            summary[name] = {key: round(number, 3) for key, number in numbers.items()}
    return summary
