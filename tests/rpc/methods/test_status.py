"""GetStatus as callers see it, without stores."""

from datetime import timedelta

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from gcsched.domain.job import State
from gcsched.domain.pause import Pause
from gcsched.domain.relay_health import HealthReport, RelayState
from gcsched.pb import task_pb2
from gcsched.rpc.methods.status import report_message
from gcsched.usecases.monitoring.lateness import LatenessQuantiles
from gcsched.usecases.monitoring.status import (
    AccessReport,
    RelayReport,
    SendingReport,
    ServiceInfo,
    StatusReport,
)
from gcsched.usecases.monitoring.store_health import StoreReport
from gcsched.usecases.ports import JobCounts
from tests.support.builders import NOON, NOW

SERVICE = ServiceInfo(version="1.2.3", python="3.11.9", zones="2026f", start_time=NOW)
NONE_SENT = LatenessQuantiles(mails=0, p50=timedelta(0), p99=timedelta(0))
NOON_STAMP = Timestamp(seconds=NOON)


def test_all_known_values_are_reported() -> None:
    counts = JobCounts(
        by_state={State.SENT: 3, State.FAILED: 0}, oldest_due_lateness=timedelta(seconds=90)
    )
    relay = RelayReport(
        name="smtp.example.org:587",
        is_down=True,
        sessions_open=3,
        sessions_busy=2,
        sessions_limit=24,
        rate=50,
        effective_rate=12.5,
        health=HealthReport(state=RelayState.DOWN, error="CONNECT: refused", state_time=NOW),
    )
    report = StatusReport(
        counts=counts,
        count_time=NOW,
        lateness=LatenessQuantiles(
            mails=7, p50=timedelta(milliseconds=250), p99=timedelta(seconds=2)
        ),
        relays=[relay],
        pause=Pause(by="Bob", reason="wrong template", start_time=NOW),
        service=SERVICE,
        report_time=NOW + timedelta(seconds=2),
        stores=[
            StoreReport(name="mongodb", problem=None, state_time=NOW),
            StoreReport(name="redis", problem="no answer for 3 s", state_time=NOW),
        ],
        access=AccessReport(
            is_controlled=True,
            is_encrypted=True,
            is_insecure=True,
            clients=3,
            problem="TLS of gRPC: x",
        ),
        sending=SendingReport(
            redirect_to="qa@example.org",
            allowed_recipients=("example.org", "ada@example.com"),
            senders=["no-reply@example.org", "Pay <pay@example.org>"],
        ),
    )

    message = task_pb2.StatusReport
    assert report_message(report) == message(
        counts=[
            message.StateCount(state=task_pb2.Job.SENT, count=3),
            message.StateCount(state=task_pb2.Job.FAILED, count=0),
        ],
        count_time=NOON_STAMP,
        oldest_due_lateness=Duration(seconds=90),
        lateness=message.Lateness(
            mails=7, p50=Duration(nanos=250_000_000), p99=Duration(seconds=2)
        ),
        relays=[
            message.Relay(
                name="smtp.example.org:587",
                is_down=True,
                sessions_open=3,
                sessions_busy=2,
                sessions_limit=24,
                rate=50,
                effective_rate=12.5,
                state=message.Relay.DOWN,
                last_error="CONNECT: refused",
                state_time=NOON_STAMP,
            )
        ],
        pause=task_pb2.Pause(by="Bob", reason="wrong template", start_time=NOON_STAMP),
        version="1.2.3",
        python="3.11.9",
        start_time=NOON_STAMP,
        stores=[
            message.Store(name="mongodb", state_time=NOON_STAMP),
            message.Store(name="redis", problem="no answer for 3 s", state_time=NOON_STAMP),
        ],
        report_time=Timestamp(seconds=NOON + 2),
        access=message.Access(
            is_controlled=True,
            is_encrypted=True,
            is_insecure=True,
            clients=3,
            problem="TLS of gRPC: x",
        ),
        sending=message.Sending(
            redirect_to="qa@example.org",
            allowed_recipients=["example.org", "ada@example.com"],
            senders=["no-reply@example.org", "Pay <pay@example.org>"],
        ),
        zone_version="2026f",
    )


@pytest.mark.parametrize("state", RelayState)
def test_each_state_of_a_relay_has_its_value(state: RelayState) -> None:
    relay = task_pb2.StatusReport.Relay(state=state.value)

    assert task_pb2.StatusReport.Relay.State.Name(relay.state) == state.name


@pytest.mark.parametrize(
    "counts", [None, JobCounts(by_state={State.SENT: 3}, oldest_due_lateness=timedelta(0))]
)
def test_unknown_and_missing_values_are_absent(counts: JobCounts | None) -> None:
    report = StatusReport(
        counts=counts,
        count_time=None,
        lateness=NONE_SENT,
        relays=(),
        pause=None,
        service=SERVICE,
        report_time=NOW,
    )

    message = report_message(report)

    absent = ["oldest_due_lateness", "count_time", "pause"]
    assert not [name for name in absent if message.HasField(name)]
    assert len(message.counts) == (0 if counts is None else 1)
    assert message.lateness.mails == 0
    assert not message.lateness.HasField("p50")
