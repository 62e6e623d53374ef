"""Both clients: a test that asks runs with each."""

import pytest

from tests.support.client_calls import ScheduleCall, schedule_async, schedule_blocking


@pytest.fixture(params=[schedule_blocking, schedule_async])
def schedule_meet(request: pytest.FixtureRequest) -> ScheduleCall:
    """Every promise is kept by both clients."""
    chosen: ScheduleCall = request.param
    return chosen
