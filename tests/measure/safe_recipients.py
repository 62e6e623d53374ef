"""Send 10,000 random requests with every feature under each setting for staging.

    python -m tests.measure.safe_recipients --json docs/measurements/safe_recipients.json

Prints figures; `recipients_outside` counts the addresses in RCPT TO that are not allowed, and
`problems` lists what was not as expected.
"""

import logging
from functools import partial
from pathlib import Path

import structlog

from tests.measure.delivery import Figures
from tests.measure.survive import Scenarios, run_scenarios
from tests.scenarios.random_requests import RESTRICTIONS
from tests.scenarios.safe_recipients import Surroundings, run
from tests.support.stores import own_mongod, own_valkey

REQUESTS = 10_000


async def measure(restriction: str, folder: Path) -> Figures:
    async with own_mongod(folder) as mongo, own_valkey(folder) as valkey:
        used = Surroundings(mongo=mongo.uri, redis=valkey.uri, folder=folder)
        return await run(restriction, used, count=REQUESTS, seed=20)


SCENARIOS: Scenarios = {name: partial(measure, name) for name in RESTRICTIONS}


if __name__ == "__main__":
    # Each job has a line in the log, and the service runs in this process.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    run_scenarios("tests.measure.safe_recipients", __doc__, SCENARIOS)
