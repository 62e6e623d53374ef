"""The axis of time below the charts: where an hour or a day begins in the chosen zone. Pure."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from gcsched.usecases.monitoring.read_history import HistorySpan
from gcsched.web.console.charts import Slots, Tick

FEWEST_SLOTS_BEFORE_END = 3
"""A label nearer to the end of the axis would be cut off, or lie on another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """An axis has a label where *find_part* of the local time changes; *show* writes it.

    *is_minor* says whether the label is left out where there is little room.
    """

    find_part: Callable[[datetime], object]
    show: Callable[[datetime], str]
    is_minor: Callable[[datetime], bool]


RULES: Mapping[HistorySpan, Rule] = {
    HistorySpan.HOUR: Rule(
        find_part=lambda local: (local.hour, local.minute // 10),
        show=lambda local: f"{local.hour:02}:{local.minute // 10}0",
        is_minor=lambda local: local.minute // 10 % 2 == 1,
    ),
    HistorySpan.DAY: Rule(
        find_part=lambda local: local.hour // 3,
        show=lambda local: f"{local.hour:02}:00",
        is_minor=lambda local: local.hour // 3 % 2 == 1,
    ),
    HistorySpan.WEEK: Rule(
        find_part=lambda local: local.date(),
        show=lambda local: f"{local:%a} {local.day}",
        is_minor=lambda local: local.toordinal() % 2 == 1,
    ),
}


def list_ticks(span: HistorySpan, starts: Sequence[datetime], zone: ZoneInfo) -> Iterator[Tick]:
    """Yield the labels below the intervals that begin at *starts*."""
    rule, slots = RULES[span], Slots(count=len(starts))
    local = [each.astimezone(zone) for each in starts]
    for slot in range(1, len(local) - FEWEST_SLOTS_BEFORE_END):
        if rule.find_part(local[slot]) != rule.find_part(local[slot - 1]):
            moment = local[slot]
            yield Tick(
                place=slots.find_left(slot),
                label=rule.show(moment),
                is_minor=rule.is_minor(moment),
            )
