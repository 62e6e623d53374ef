"""A check after each of these tests."""

from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def no_failed_callbacks(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Assert that no callback failed, which asyncio only logs."""
    yield
    assert [r for r in caplog.get_records("call") if r.name == "asyncio"] == []
