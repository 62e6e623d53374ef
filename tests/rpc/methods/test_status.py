"""What callers see of GetStatus. No store is asked."""

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
from gcsched.usecases.monitoring.status import RelayReport, ServiceInfo, StatusReport
from gcsched.usecases.monitoring.store_health import StoreReport
from gcsched.usecases.ports import JobCounts
from tests.support.builders import NOON, NOW

ABOUT = ServiceInfo(version="1.2.3", python="3.11.9", start_time=NOW)
NONE_SENT = LatenessQuantiles(mails=0, p50=timedelta(0), p99=timedelta(0))
NOON_STAMP = Timestamp(seconds=NOON)


def test_all_that_is_known_is_told() -> None:
    counts = JobCounts(
        by_state={State.SENT: 3, State.FAILED: 0}, oldest_due_lateness=timedelta(seconds=90)
    )
    relay = RelayReport(
        name="smtp.example.org:587",
        is_down=True,
        sessions_open=3,
        sessions_busy=2,
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
        service=ABOUT,
        report_time=NOW + timedelta(seconds=2),
        stores=[
            StoreReport(name="mongodb", problem=None, state_time=NOW),
            StoreReport(name="redis", problem="no answer for 3 s", state_time=NOW),
        ],
    )

    told = task_pb2.StatusReport
    assert report_message(report) == told(
        counts=[
            told.StateCount(state=task_pb2.Job.SENT, count=3),
            told.StateCount(state=task_pb2.Job.FAILED, count=0),
        ],
        count_time=NOON_STAMP,
        oldest_due_lateness=Duration(seconds=90),
        lateness=told.Lateness(mails=7, p50=Duration(nanos=250_000_000), p99=Duration(seconds=2)),
        relays=[
            told.Relay(
                name="smtp.example.org:587",
                is_down=True,
                sessions_open=3,
                sessions_busy=2,
                rate=50,
                effective_rate=12.5,
                state=told.Relay.DOWN,
                last_error="CONNECT: refused",
                state_time=NOON_STAMP,
            )
        ],
        pause=task_pb2.Pause(by="Bob", reason="wrong template", start_time=NOON_STAMP),
        version="1.2.3",
        python="3.11.9",
        start_time=NOON_STAMP,
        stores=[
            told.Store(name="mongodb", state_time=NOON_STAMP),
            told.Store(name="redis", problem="no answer for 3 s", state_time=NOON_STAMP),
        ],
        report_time=Timestamp(seconds=NOON + 2),
    )


@pytest.mark.parametrize("state", RelayState)
def test_each_state_of_a_relay_has_its_value(state: RelayState) -> None:
    told = task_pb2.StatusReport.Relay(state=state.value)

    assert task_pb2.StatusReport.Relay.State.Name(told.state) == state.name


@pytest.mark.parametrize(
    "counts", [None, JobCounts(by_state={State.SENT: 3}, oldest_due_lateness=timedelta(0))]
)
def test_what_is_unknown_or_not_there_is_absent(counts: JobCounts | None) -> None:
    report = StatusReport(
        counts=counts,
        count_time=None,
        lateness=NONE_SENT,
        relays=(),
        pause=None,
        service=ABOUT,
        report_time=NOW,
    )

    told = report_message(report)

    absent = ["oldest_due", "counted", "pause"]
    assert not [name for name in absent if told.HasField(name)]
    assert len(told.counts) == (0 if counts is None else 1)
    assert told.lateness.mails == 0
    assert not told.lateness.HasField("p50")
