"""What /metrics shows after calls and mails matches them."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import pytest

from gcsched import __version__
from gcsched.domain.dedup import AdmissionOutcome
from gcsched.domain.job import State
from gcsched.domain.smtp_reply import Kind
from gcsched.errors import (
    ClientLimit,
    InvalidRequest,
    Overloaded,
    RequestIdReused,
    Stopping,
    StoreRefused,
    StoreUnavailable,
    UnknownJob,
    Violation,
)
from gcsched.usecases.monitoring.lateness import Lateness
from gcsched.usecases.ports import AdmissionError
from gcsched.usecases.recovery.sweep import Repair
from gcsched.web.metric_definitions import ADMISSION_LABELS
from gcsched.web.metrics import Metrics
from gcsched.wiring.delivery import make_outcome_observer
from tests.support.builders import NOW, a_claimed_job, an_attempt
from tests.support.clients import client_toml, write_clients
from tests.support.clocks import SECOND
from tests.support.in_process_app import (
    RunningApp,
    make_settings,
    read_jobs_if_all_sent,
    running_app,
    schedule_mails,
)
from tests.support.probes import HttpProbe, Scrape, probe_http
from tests.support.relay.server import Answer, At, Relay
from tests.support.service_process import a_meet, scheduler_stub
from tests.support.wait import until

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")
METHOD = "scheduler.Scheduler/ScheduleMeet"


@asynccontextmanager
async def run_with_probe(
    mongo_uri: str, redis_url: str, relay: Relay, **others: str
) -> AsyncIterator[tuple[RunningApp, HttpProbe]]:
    settings = make_settings(mongo=mongo_uri, redis=redis_url, relay_port=relay.port, **others)
    async with running_app(settings) as app, probe_http(app.http) as probe:
        yield app, probe


async def wait_for_scrape(probe: HttpProbe, condition: Callable[[Scrape], bool]) -> Scrape:
    """Scrape until *condition* holds; return the last result."""
    scrapes: list[Scrape] = []

    async def holds() -> bool:
        scrapes.append(await probe.scrape())
        return condition(scrapes[-1])

    await until(holds)
    return scrapes[-1]


async def test_requests_calls_mails_and_lateness_are_counted(
    mongo_uri: str, redis_url: str, relay: Relay
) -> None:
    name = f"127.0.0.1:{relay.port}"
    async with run_with_probe(mongo_uri, redis_url, relay) as (app, probe):
        await schedule_mails(app, 3)
        await schedule_mails(app, 1)  # again
        async with scheduler_stub(app.target) as stub:
            with pytest.raises(grpc.aio.AioRpcError):
                await stub.ScheduleMeet(a_meet(4, emailID="nobody"))
        await until(lambda: read_jobs_if_all_sent(app.resources))
        scrape = await wait_for_scrape(
            probe, lambda now: now.value("gcsched_lateness_seconds_count") == 3
        )

    admissions = {"created": 3, "replayed": 1, "invalid": 1}
    assert scrape.by("outcome", "gcsched_admissions_total") == admissions
    calls = scrape.by("code", "gcsched_rpc_calls_total", method=METHOD)
    assert calls == {"OK": 4, "INVALID_ARGUMENT": 1}
    assert scrape.value("gcsched_rpc_call_seconds_count", method=METHOD) == 5
    assert scrape.by("kind", "gcsched_attempts_total", relay=name) == {"ACCEPTED": 3}
    late = scrape.value("gcsched_lateness_seconds_sum")
    assert late is not None
    assert 0 < late < 3 * 5, "late from the call on: the second asked for was years ago"
    for step in ("admission", "claim", "fence", "outcome"):
        assert (scrape.value("gcsched_batch_jobs_sum", step=step) or 0) >= 3
    assert scrape.value("gcsched_claimed_jobs") == 0
    assert scrape.value("gcsched_admissions_waiting") == 0
    assert scrape.value("gcsched_smtp_sessions_busy", relay=name) == 0
    assert (scrape.value("gcsched_smtp_sessions_open", relay=name) or 0) >= 1
    assert scrape.value("gcsched_smtp_sessions_limit", relay=name) == 16
    assert scrape.value("gcsched_breaker_open", relay=name) == 0


@pytest.mark.parametrize(
    ("result", "label"),
    [
        (AdmissionOutcome.CREATED, "created"),
        (AdmissionOutcome.QUEUED_FOR_DAILY, "created"),
        (AdmissionOutcome.REPLAYED, "replayed"),
        (AdmissionOutcome.REFUSED_DUPLICATE, "refused"),
        (RequestIdReused("R", "job-1"), "refused"),
        (InvalidRequest([Violation("empid", "must not be empty")]), "invalid"),
        (UnknownJob("job-1"), "invalid"),
        (ClientLimit("payroll", "jobs_per_day", "has had", retry_after=SECOND), "limited"),
        (Overloaded(3), "overloaded"),
        (StoreUnavailable("storing the job"), "unavailable"),
        (StoreRefused("storing the job", "disk_full", "its disk is full"), "unavailable"),
        (Stopping(), "stopping"),
        (asyncio.CancelledError(), "cancelled"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_the_result_of_a_call_is_counted_under_its_label(
    result: AdmissionOutcome | AdmissionError, label: str
) -> None:
    metrics = Metrics(version="1", relays=())

    metrics.on_admission(result)

    [family] = [each for each in metrics.registry.collect() if each.name == "gcsched_admissions"]
    counts = {sample.labels["outcome"]: sample.value for sample in family.samples}
    others = {"created", "replayed", "invalid", "overloaded", "unavailable", "stopping"}
    others |= {"cancelled", "refused", "limited"}
    assert counts == dict.fromkeys(others, 0.0) | {label: 1.0}


def test_each_outcome_has_a_label() -> None:
    assert set(AdmissionOutcome) <= set(ADMISSION_LABELS)


async def test_calls_for_health_are_counted_and_unknown_methods_are_not(
    mongo_uri: str, redis_url: str, relay: Relay
) -> None:
    async with run_with_probe(mongo_uri, redis_url, relay) as (app, probe):
        async with grpc.aio.insecure_channel(app.target) as channel:
            with pytest.raises(grpc.aio.AioRpcError):
                await channel.unary_unary("/made/up", bytes, bytes)(b"")

        scrape = await probe.scrape()

    assert set(scrape.by("method", "gcsched_rpc_calls_total")) == {"grpc.health.v1.Health/Check"}


async def test_jobs_are_counted_by_state(mongo_uri: str, redis_url: str, relay: Relay) -> None:
    async with run_with_probe(mongo_uri, redis_url, relay) as (_, probe):
        scrape = await wait_for_scrape(
            probe, lambda now: now.value("gcsched_jobs", state="SENT") is not None
        )

    assert {dict(pairs)["state"] for name, pairs in scrape.samples if name == "gcsched_jobs"} == {
        state.value for state in State
    }
    assert scrape.value("gcsched_oldest_due_seconds") == 0


async def test_the_loop_and_the_process_are_measured(
    mongo_uri: str, redis_url: str, relay: Relay
) -> None:
    async with run_with_probe(mongo_uri, redis_url, relay) as (_, probe):
        lag = "gcsched_event_loop_lag_seconds_count"
        scrape = await wait_for_scrape(probe, lambda now: (now.value(lag) or 0) >= 3)

    assert (scrape.value("process_resident_memory_bytes") or 0) > 10_000_000
    assert (scrape.value("process_cpu_seconds_total") or 0) > 0
    assert __version__ in scrape.by("version", "gcsched_build_info")
    below = [
        float(dict(pairs)["le"])
        for name, pairs in scrape.samples
        if name == "gcsched_event_loop_lag_seconds_bucket"
    ]
    assert {0.001, 0.05, 1.0} <= set(below)


async def test_an_open_breaker_is_shown(mongo_uri: str, redis_url: str, relay: Relay) -> None:
    name = f"127.0.0.1:{relay.port}"
    relay.script(At.MAIL, Answer(421, "4.3.2 closing"))
    async with run_with_probe(mongo_uri, redis_url, relay) as (app, probe):
        await schedule_mails(app, 8)
        await wait_for_scrape(probe, lambda now: now.value("gcsched_breaker_open", relay=name) == 1)
        status, reported = await probe.get_readiness()

    assert (status, reported["status"]) == (200, "degraded")
    assert reported["dependencies"][f"relay {name}"].startswith("down")


async def test_repairs_of_a_sweep_are_counted(mongo_uri: str, redis_url: str, relay: Relay) -> None:
    async with run_with_probe(mongo_uri, redis_url, relay) as (app, probe):
        app.resources.metrics.on_repair(Repair.OVERDUE, 2)

        assert (await probe.scrape()).by("reason", "gcsched_repairs_total") == {"overdue": 2}


@pytest.mark.parametrize(
    ("due", "late"),
    [(NOW, 2.0), (NOW - timedelta(days=1), 2.0), (NOW + timedelta(seconds=1), 1.0)],
    ids=["now", "long ago", "ahead"],
)
def test_lateness_counts_from_when_the_mail_could_leave(due: datetime, late: float) -> None:
    metrics = Metrics(version="1", relays=["smtp.example.org"])
    observe = make_outcome_observer(metrics, Lateness())
    accepted = an_attempt(kind=Kind.ACCEPTED, end_time=NOW + timedelta(seconds=2))

    observe([a_claimed_job(create_time=NOW, due_time=due).sent(accepted)])

    assert metrics.registry.get_sample_value("gcsched_lateness_seconds_sum") == late


def test_an_outcome_without_an_attempt_is_not_counted() -> None:
    metrics = Metrics(version="1", relays=[])

    given_back = a_claimed_job(attempts=(an_attempt(),)).unclaimed(datetime.now(UTC))
    make_outcome_observer(metrics, Lateness())([given_back])

    assert metrics.registry.get_sample_value("gcsched_lateness_seconds_count") == 0


METRICS_OF_LIMITS = {"gcsched_client_usage_ratio", "gcsched_client_limit_refusals_total"}
"""Only services whose clients have used their limits have them: see test_client_limits.py."""


async def test_the_page_lists_every_metric(
    tmp_path: Path, mongo_uri: str, redis_url: str, relay: Relay
) -> None:
    table = PAGE.partition("| metric |")[2].partition("\n\n")[0]
    cells = re.findall(r"^\| (`gcsched_[^|]+)", table, re.MULTILINE)
    listed = set(re.findall(r"gcsched_[a-z_]+", " ".join(cells)))
    clients = str(write_clients(tmp_path / "clients.toml", client_toml("payroll", ["read"])))
    settings = {"clients_file": clients, "console_listen": "127.0.0.1:0"}
    async with run_with_probe(mongo_uri, redis_url, relay, **settings) as (_, probe):
        await wait_for_scrape(
            probe, lambda now: now.value("gcsched_oldest_due_seconds") is not None
        )
        _, text = await probe.request("/metrics")

    known = set(re.findall(r"^# TYPE (gcsched_[a-z_]+)", text, re.MULTILINE))
    assert listed == known | METRICS_OF_LIMITS
