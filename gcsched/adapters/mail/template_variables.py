"""The standard variables of every template, and sample values to validate templates with."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TypedDict

from jinja2.defaults import DEFAULT_NAMESPACE

from gcsched.adapters.mail.template_analysis import Names


class Variables(TypedDict):
    """The variables that every template has; *due* is in the time zone of the service."""

    username: str
    empid: str
    email: str
    message: str
    due: datetime
    job_id: str


STANDARD_VARIABLES: Names = frozenset(Variables.__annotations__)
RESERVED_NAMES = STANDARD_VARIABLES | DEFAULT_NAMESPACE.keys()
NO_VARIABLES: Mapping[str, str] = {}
FULL_SAMPLE = Variables(
    username="Zoë O'Neil <&>",
    empid="E-17",
    email="zoe@example.org",
    message="Release review & retrospective",
    due=datetime(2025, 11, 24, 9, 30, tzinfo=UTC),
    job_id="00000000000000000000000000000000",
)
SAMPLE_VALUE = "Example"
MINIMAL_SAMPLE: Variables = {**FULL_SAMPLE, "username": "", "empid": ""}
