"""Imports: what is counted when a store goes away, an address cannot be changed, or time ends."""

from datetime import datetime, timedelta

import pytest

from gcsched.domain.actor import Actor
from gcsched.domain.suppression import NewSuppression, Suppression
from gcsched.errors import GcschedError, InternalError, StoreUnavailable, UnknownSuppression
from gcsched.usecases.management.suppression_import import (
    ImportLine,
    ImportReport,
    ImportSuppressions,
    RefusedLine,
)
from tests.support.builders import AN_ACTOR, a_suppression

WITHIN = timedelta(seconds=5)


class Suppressed:
    """The addresses that are suppressed; those in *failing* raise their error instead."""

    def __init__(self, *addresses: str, **failing: GcschedError) -> None:
        self.addresses, self.failing = set(addresses), failing

    async def find(self, address: str) -> Suppression:
        if address not in self.addresses:
            raise UnknownSuppression
        return a_suppression(address=address)

    async def add(
        self,
        address: str,
        *,
        reason: str,
        until: datetime | None,
        actor: Actor,
        within: timedelta,
    ) -> Suppression:
        assert (reason, until, actor) == ("left", None, AN_ACTOR)
        assert within <= WITHIN
        if address in self.failing:
            raise self.failing[address]
        self.addresses.add(address)
        return a_suppression(address=address)


async def run(suppressed: Suppressed, *addresses: str, within: timedelta = WITHIN) -> ImportReport:
    lines = [
        ImportLine(
            number=number,
            suppression=NewSuppression(address=each, reason="left", expire_time=None),
        )
        for number, each in enumerate(addresses, start=1)
    ]
    importing = ImportSuppressions(suppressions=suppressed, changing=suppressed)
    refused = [RefusedLine(number=99, problem="no address")]
    return await importing.add_all(lines, refused, actor=AN_ACTOR, within=within)


def count(report: ImportReport) -> tuple[int, ...]:
    assert report.lines == sum(
        (report.added, report.present, len(report.refused), report.left_over)
    )
    return report.added, report.present, len(report.refused), report.left_over


async def test_each_line_has_one_fate() -> None:
    suppressed = Suppressed("b")

    report = await run(suppressed, "a", "b", "c", "a")

    assert count(report) == (2, 2, 1, 0)
    assert suppressed.addresses == {"a", "b", "c"}


async def test_a_store_that_goes_away_ends_it_and_the_same_lines_go_on_later() -> None:
    suppressed = Suppressed(c=StoreUnavailable("adding a suppression"))
    first = await run(suppressed, "a", "b", "c", "d")
    suppressed.failing.clear()

    second = await run(suppressed, "a", "b", "c", "d")

    assert count(first) == (2, 0, 1, 2)
    assert "adding a suppression" in first.interruption
    assert count(second) == (2, 2, 1, 0)
    assert second.interruption == ""


async def test_an_address_that_fails_alone_is_refused_with_its_number() -> None:
    report = await run(Suppressed(b=InternalError()), "a", "b", "c")

    assert count(report) == (2, 0, 2, 0)
    assert [each.number for each in report.refused] == [2, 99]


@pytest.mark.parametrize("within", [timedelta(0), timedelta(seconds=-1)])
async def test_nothing_begins_after_its_time(within: timedelta) -> None:
    suppressed = Suppressed()

    report = await run(suppressed, "a", "b", within=within)

    assert count(report) == (0, 0, 1, 2)
    assert suppressed.addresses == set()
