"""Imports many suppressions, each like a call of its own; a repeated import changes nothing."""

import asyncio
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from gcsched.domain.actor import Actor
from gcsched.domain.suppression import NewSuppression, Suppression
from gcsched.errors import GcschedError, StoreUnavailable, UnknownSuppression

TIME_OVER = "its time was over"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportLine:
    """A valid line of a file, with its *number* there."""

    number: int
    suppression: NewSuppression


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedLine:
    """A line of a file that was not imported, and why."""

    number: int
    problem: str


@dataclass(kw_only=True, eq=False)
class ImportReport:
    """What became of the lines: the counts of all of them are *lines*.

    *present* are addresses that were suppressed already, and stay as they were. *left_over* lines
    were not looked at any more, because of *interruption*.
    """

    lines: int
    added: int = 0
    present: int = 0
    refused: list[RefusedLine] = field(default_factory=list)
    left_over: int = 0
    interruption: str = ""


class FindSuppression(Protocol):
    """Finds suppressions, as ManageSuppressions does."""

    async def find(self, address: str) -> Suppression:
        """Return the suppression of *address*. Raises UnknownSuppression, StoreUnavailable."""


class AddSuppression(Protocol):
    """Adds suppressions, as AuditedSuppressions does."""

    async def add(
        self,
        address: str,
        *,
        reason: str,
        until: datetime | None,
        actor: Actor,
        within: timedelta,
    ) -> Suppression:
        """Suppress *address*, as one act of *actor*."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportSuppressions:
    """Adds the suppressions that the service does not have yet."""

    suppressions: FindSuppression
    changing: AddSuppression

    async def add_all(
        self,
        lines: Sequence[ImportLine],
        refused: Iterable[RefusedLine],
        *,
        actor: Actor,
        within: timedelta,
    ) -> ImportReport:
        """Import *lines*, and report them together with those that were *refused* before.

        Ends early when the time is over, or a store is away: a repetition goes on from there.
        """
        report = ImportReport(lines=len(lines), refused=list(refused))
        report.lines += len(report.refused)
        until = time.monotonic() + within.total_seconds()
        for position, line in enumerate(lines):
            left = timedelta(seconds=until - time.monotonic())
            if left <= timedelta(0):
                report.left_over, report.interruption = len(lines) - position, TIME_OVER
                break
            try:
                await self._add(line, report, actor, left)
            except StoreUnavailable as error:
                report.left_over, report.interruption = len(lines) - position, str(error)
                break
            except GcschedError as error:
                report.refused.append(RefusedLine(number=line.number, problem=str(error)))
        report.refused.sort(key=lambda each: each.number)
        return report

    async def _add(
        self, line: ImportLine, report: ImportReport, actor: Actor, within: timedelta
    ) -> None:
        new = line.suppression
        try:
            async with asyncio.timeout(within.total_seconds()):
                await self.suppressions.find(new.address)
        except TimeoutError as error:
            raise StoreUnavailable("reading a suppression") from error
        except UnknownSuppression:
            await self.changing.add(
                new.address,
                reason=new.reason,
                until=new.expire_time,
                actor=actor,
                within=within,
            )
            report.added += 1
        else:
            report.present += 1
