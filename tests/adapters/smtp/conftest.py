"""What holds while any of these tests runs."""

from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def no_failed_callbacks(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """See that no callback failed: asyncio only logs it."""
    yield
    assert [r for r in caplog.get_records("call") if r.name == "asyncio"] == []
