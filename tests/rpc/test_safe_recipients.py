"""No mail leaves for an address that is not allowed: a short form of the measurement."""

from pathlib import Path

import pytest

from tests.scenarios.safe_recipients import Surroundings, run


@pytest.mark.parametrize("restriction", ["redirect", "allowed"])
async def test_random_requests_reach_no_address_that_is_not_allowed(
    mongo_uri: str, redis_url: str, tmp_path: Path, restriction: str
) -> None:
    used = Surroundings(mongo=mongo_uri, redis=redis_url, folder=tmp_path)

    seen = await run(restriction, used, count=100)

    assert seen["problems"] == []
    assert seen["mails"] > 10
    assert (seen["jobs_failed_as_not_allowed"] > 0) == (restriction != "redirect")
