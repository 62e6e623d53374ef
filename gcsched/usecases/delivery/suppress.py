"""Outcomes that also block the addresses which a relay said do not exist."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta

import structlog

from gcsched.domain.suppression import suppression_from
from gcsched.errors import StoreRefused
from gcsched.usecases.ports import Conclusion, Outcomes, Suppressions

ITS_OWN = frozenset({"document", "validation"})


@dataclass(frozen=True, slots=True, kw_only=True)
class SuppressingOutcomes:
    """Keep suppressions before the outcomes they come from, in the same try of the recorder.

    So none is lost: until the outcome is written the recorder tries both again, and doing either
    twice changes nothing. A refusal is true even if the claim was lost meanwhile.
    """

    outcomes: Outcomes
    suppressions: Suppressions
    lasting: timedelta

    async def conclude(self, conclusions: Sequence[Conclusion]) -> Collection[Conclusion]:
        """Write what became of claimed jobs; give those that were not ours any more."""
        found = [suppression_from(each.job, lasting=self.lasting) for each in conclusions]
        if refused := [suppression for suppression in found if suppression is not None]:
            try:
                await self.suppressions.add(refused)
            except StoreRefused as error:
                if error.problem not in ITS_OWN:
                    raise
                # Of one that cannot be stored, whatever is tried; the outcomes are not to wait.
                structlog.get_logger().error("suppression not stored", error=str(error))
        return await self.outcomes.conclude(conclusions)
