"""Moments and spans of time, to protobuf and back."""

from datetime import UTC, datetime, timedelta

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from gcsched.errors import Violation


def timestamp(moment: datetime) -> Timestamp:
    given = Timestamp()
    given.FromDatetime(moment)
    return given


def duration(span: timedelta) -> Duration:
    given = Duration()
    given.FromTimedelta(span)
    return given


def moment(given: Timestamp, field: str) -> datetime | Violation:
    """Read what a caller gave as *field*."""
    try:
        return given.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        return Violation(field, f"must be a moment of the years 1 to 9999: {error}")
