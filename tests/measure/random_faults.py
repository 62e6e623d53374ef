"""Run the scenario of random faults with seeds that the test suite does not use.

    python -m tests.measure.random_faults [--seeds 20] [--json docs/measurements/fates.json]
    python -m tests.measure.random_faults --always-follow [--json docs/measurements/…]

Prints one line per seed; `problems` lists what was not as expected. These relays fail so often that
the service soon gives up pipelining, and few mails follow a body. With --always-follow it never
does, so that the faults also hit bodies that another mail's envelope follows.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from unittest.mock import PropertyMock, patch

from gcsched.adapters.smtp.conversation import Conversation, TakeFollowing
from gcsched.adapters.smtp.feedback import RelayFeedback
from gcsched.adapters.smtp.pipelining import PipeliningChoice, PipeliningPolicy
from gcsched.adapters.smtp.transaction import Step
from gcsched.cli.commands.serve import find_loop_factory
from gcsched.dev.stores.valkey import ValkeyOptions
from gcsched.domain.permit import Permit
from tests.measure.delivery import Figures, a_temporary_folder, run_metadata
from tests.scenarios.random_faults import Scenario, figures, run_scenario
from tests.support.stores import DATABASES, own_mongod, own_valkey, with_database, with_number

FIRST_SEED = 101
POLICIES = ("resend", "hold")
COMMAND = " ".join(["python -m tests.measure.random_faults", *sys.argv[1:]])


async def measure(folder: Path, options: argparse.Namespace) -> None:
    metadata, seen = {**run_metadata(), "command": COMMAND}, list[Figures]()
    async with (
        own_mongod(folder) as mongo,
        own_valkey(folder, ValkeyOptions(databases=DATABASES)) as valkey,
    ):
        for number in range(options.seeds):
            scenario = Scenario(
                seed=FIRST_SEED + number,
                on_uncertain=POLICIES[number % len(POLICIES)],
                stores=(
                    with_database(mongo.uri, f"random_faults_{number}"),
                    with_number(valkey.uri, number + 1),
                ),
            )
            with count_followed() as followed:
                seen.append(figures(await run_scenario(scenario)) | {"bodies": followed})
            print(json.dumps(seen[-1]), flush=True)
            if options.json is not None:
                write_json(options.json, {"surroundings": metadata, "runs": seen})


@contextmanager
def count_followed() -> Iterator[dict[str, int]]:
    """Count the bodies that are written, and those with another mail's envelope behind them."""
    counts = {"written": 0, "followed": 0}
    transmit = Conversation.transmit

    def transmit_and_count(
        self: Conversation, permit: Permit | None, take_following: TakeFollowing
    ) -> None:
        transmit(self, permit, take_following)
        is_written = self.current is not None and self.current.step is Step.BODY
        counts["written"] += is_written
        counts["followed"] += is_written and self.following is not None

    with patch.object(Conversation, "transmit", transmit_and_count):
        yield counts


@contextmanager
def follow_always() -> Iterator[None]:
    """Keep the service from giving up pipelining; a mail whose group was lost goes without it."""

    def choose(_: PipeliningPolicy, own: int | None) -> PipeliningChoice:
        return PipeliningChoice(in_group=own is None, lost_after=own, is_own=own is not None)

    def ignore(*_: object) -> None:
        """Learn nothing."""

    with (
        patch.object(PipeliningPolicy, "choose", choose),
        patch.object(PipeliningPolicy, "learn", ignore),
        patch.object(RelayFeedback, "may_follow", PropertyMock(return_value=True)),
    ):
        yield


def write_json(file: Path, seen: Figures) -> None:
    file.write_text(json.dumps(seen, indent=1) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--always-follow", action="store_true")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with (
        a_temporary_folder() as folder,
        follow_always() if options.always_follow else nullcontext(),
        asyncio.Runner(loop_factory=find_loop_factory()) as runner,
    ):
        runner.run(measure(folder, options))


if __name__ == "__main__":
    main()
