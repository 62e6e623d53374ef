"""The pytest plugin: the fixtures `gcsched_fake` and `gcsched_service` (docs/testing.md).

pytest loads it in every run where gcsched is installed, so it imports nothing until a fixture is
used.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from gcsched.testing.fake import FakeScheduler
    from gcsched.testing.service import RunningService, ServiceHost


@pytest.fixture
def gcsched_fake() -> "Iterator[FakeScheduler]":
    """Run a fake gcsched at `.target`: it checks and records requests, and sends nothing."""
    from gcsched.testing import FakeScheduler

    with FakeScheduler() as fake:
        yield fake


@pytest.fixture
def gcsched_settings() -> Mapping[str, str]:
    """Return the settings of `gcsched_service`, as variables; override it to change some."""
    return {}


@pytest.fixture
def gcsched_service(
    gcsched_service_host: "ServiceHost", gcsched_settings: Mapping[str, str]
) -> "Iterator[RunningService]":
    """Run a real gcsched at `.target`, with empty stores; it catches every mail in `.mails`."""
    with gcsched_service_host.run_service(gcsched_settings) as service:
        yield service


@pytest.fixture(scope="session")
def gcsched_service_host() -> "Iterator[ServiceHost]":
    """Run the process with MongoDB and Valkey behind `gcsched_service`."""
    from gcsched.testing.service import ServiceHost

    with TemporaryDirectory(prefix="gcsched-") as folder, ServiceHost(Path(folder)) as host:
        yield host
