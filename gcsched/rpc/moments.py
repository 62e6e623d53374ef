"""Moments that callers name. The other way protobuf itself takes datetimes and timedeltas."""

from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from gcsched.errors import Violation


def moment(given: Timestamp, field: str) -> datetime | Violation:
    """Read what a caller gave as *field*."""
    try:
        return given.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        return Violation(field, f"must be a moment of the years 1 to 9999: {error}")
