"""Both clients: a test that uses the fixture runs with each."""

import pytest

from tests.support.client_calls import (
    MethodCall,
    ScheduleCall,
    run_async,
    run_blocking,
    schedule_async,
    schedule_blocking,
)


@pytest.fixture(params=[schedule_blocking, schedule_async])
def schedule_meet(request: pytest.FixtureRequest) -> ScheduleCall:
    """Schedule a mail with one of the two clients."""
    chosen: ScheduleCall = request.param
    return chosen


@pytest.fixture(params=[run_blocking, run_async])
def run_method(request: pytest.FixtureRequest) -> MethodCall:
    """Call any method of one of the two clients."""
    chosen: MethodCall = request.param
    return chosen
