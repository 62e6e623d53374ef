"""Both clients: a test that asks runs with each."""

import pytest

from tests.support.client_calls import Ask, ask_async, ask_plainly


@pytest.fixture(params=[ask_plainly, ask_async])
def ask(request: pytest.FixtureRequest) -> Ask:
    """Every promise is kept by both clients."""
    chosen: Ask = request.param
    return chosen
