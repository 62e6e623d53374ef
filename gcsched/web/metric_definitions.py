"""The metrics that are counted as events happen: their names, labels and buckets."""

import platform
from asyncio import CancelledError
from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from gcsched.domain.dedup import AdmissionOutcome
from gcsched.domain.smtp_reply import Kind
from gcsched.errors import (
    ClientLimit,
    InvalidRequest,
    Overloaded,
    RequestIdReused,
    Stopping,
    StoreUnavailable,
)
from gcsched.usecases.ports import AdmissionError, BatchStep
from gcsched.usecases.recovery.sweep import Repair

NO_RELAY = "none"
# Upper bounds of the buckets, in seconds.
CALL_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
LATE_SECONDS = (0.05, 0.1, 0.2, 0.3, 0.5, 1, 2, 5, 10, 20, 60, 300, 900, 3600, 14400, 86400)
LAG_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.075, 0.1, 0.2, 0.5, 1)
ADMISSION_LABELS: Mapping[object, str] = {
    AdmissionOutcome.CREATED: "created",
    AdmissionOutcome.QUEUED_FOR_DAILY: "created",
    AdmissionOutcome.REPLAYED: "replayed",
    InvalidRequest: "invalid",
    Overloaded: "overloaded",
    ClientLimit: "limited",
    StoreUnavailable: "unavailable",
    Stopping: "stopping",
    CancelledError: "cancelled",
    AdmissionOutcome.REFUSED_DUPLICATE: "refused",
    RequestIdReused: "refused",
}
BATCH_JOBS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


def create_build_info(registry: CollectorRegistry, version: str) -> None:
    Gauge(
        "gcsched_build_info",
        "1, labelled with the versions that run.",
        ["version", "python"],
        registry=registry,
    ).labels(version, platform.python_version()).set(1)


def create_admissions(registry: CollectorRegistry) -> Mapping[str, Counter]:
    family = Counter(
        "gcsched_admissions", "Requests for jobs by their outcome.", ["outcome"], registry=registry
    )
    return {label: family.labels(label) for label in ADMISSION_LABELS.values()}


def find_admission_label(result: AdmissionOutcome | AdmissionError) -> str:
    """Return the label of an outcome, or of an error by the nearest class that has one."""
    if isinstance(result, AdmissionOutcome):
        return ADMISSION_LABELS[result]
    labels = (ADMISSION_LABELS[kind] for kind in type(result).mro() if kind in ADMISSION_LABELS)
    return next(labels, "invalid")


def create_attempts(
    registry: CollectorRegistry, relays: Iterable[str]
) -> Mapping[tuple[Kind, str], Counter]:
    family = Counter(
        "gcsched_attempts",
        "Delivery attempts by their outcome; relay none: no relay was contacted.",
        ["kind", "relay"],
        registry=registry,
    )
    return {
        (kind, relay): family.labels(kind.value, relay or NO_RELAY)
        for kind in Kind
        for relay in ("", *relays)
    }


def create_repairs(registry: CollectorRegistry) -> Mapping[str, Counter]:
    family = Counter(
        "gcsched_repairs", "Repairs by sweeps, by reason.", ["reason"], registry=registry
    )
    return {reason.value: family.labels(reason.value) for reason in Repair}


def create_batch_jobs(registry: CollectorRegistry) -> Mapping[BatchStep, Histogram]:
    family = Histogram(
        "gcsched_batch_jobs",
        "Jobs that a step handled together.",
        ["step"],
        buckets=BATCH_JOBS,
        registry=registry,
    )
    return {step: family.labels(step.value) for step in BatchStep}


def create_lateness(registry: CollectorRegistry) -> Histogram:
    return Histogram(
        "gcsched_lateness_seconds",
        "Time from when a mail was due until the relay accepted it.",
        buckets=LATE_SECONDS,
        registry=registry,
    )


def create_rpc_calls(registry: CollectorRegistry) -> Counter:
    return Counter(
        "gcsched_rpc_calls", "Unary calls by status code.", ["method", "code"], registry=registry
    )


def create_rpc_call_seconds(registry: CollectorRegistry) -> Histogram:
    return Histogram(
        "gcsched_rpc_call_seconds",
        "Duration of unary calls.",
        ["method"],
        buckets=CALL_SECONDS,
        registry=registry,
    )


def create_event_loop_lag(registry: CollectorRegistry) -> Histogram:
    return Histogram(
        "gcsched_event_loop_lag_seconds",
        "How late the event loop resumed a task after a sleep.",
        buckets=LAG_SECONDS,
        registry=registry,
    )
