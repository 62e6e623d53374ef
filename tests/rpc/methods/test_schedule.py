"""What ScheduleMeet adds to admission: times as protobuf has them, and defects as a status."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import grpc
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import example, given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from gcsched.pb import task_pb2
from gcsched.rpc.messages import timestamp
from gcsched.rpc.methods.schedule import ScheduleMethods
from gcsched.rpc.servicer import SchedulerServicer
from tests.support.handler_server import read_error_status, serve_servicer
from tests.support.handlers import handlers_of
from tests.support.service_process import scheduler_stub


@example(datetime(1, 1, 1, tzinfo=UTC))
@example(datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC))
@example(datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC))
@given(st.datetimes(timezones=st.just(UTC)))
def test_a_time_is_the_one_that_protobuf_makes(moment: datetime) -> None:
    expected = Timestamp()
    expected.FromDatetime(moment)

    assert timestamp(moment) == expected


async def test_a_defect_is_reported_without_its_details() -> None:
    async def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("mongodb://anna:secret@db")

    broken: Any = SimpleNamespace(submit=fail)
    methods = ScheduleMethods(submit=broken, dry_run=broken)
    with capture_logs() as logs:
        servicer = SchedulerServicer(handlers_of(methods))
        async with serve_servicer(servicer) as target, scheduler_stub(target) as stub:
            refusal = await read_error_status(stub.ScheduleMeet(task_pb2.MeetRequest(), timeout=5))

    assert (refusal.code, refusal.reason) == (grpc.StatusCode.INTERNAL, "INTERNAL")
    assert [log["event"] for log in logs] == ["call failed"]
